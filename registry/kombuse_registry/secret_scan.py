"""Finds private keys and tokens of well-known services in files that are about to be published."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kombuse_sdk.secret_patterns import PRIVATE_KEY, TOKENS

__all__ = ["Secret", "find_secrets"]

_TOKEN = "|".join(f"({pattern})" for pattern in TOKENS.values())
# A line end, in JSON an escaped one, perhaps some headers, and the beginning of the key itself.
_BODY = r"[ \t\r]*(?:\n|\\n)[\s\S]{0,200}?[A-Za-z0-9+/=]{24}"
_SECRET = re.compile(rf"\b(?:{_TOKEN})|({PRIVATE_KEY}{_BODY})".encode())
_KINDS = (*TOKENS, "a private key")


@dataclass(frozen=True, slots=True)
class Secret:
    """Where one was found; it itself is told to nobody. Lines count from 1."""

    path: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.kind}"


def find_secrets(files: Mapping[str, bytes]) -> list[Secret]:
    return [secret for path in files for secret in _in_file(path, files[path])]


def _in_file(path: str, content: bytes) -> Iterator[Secret]:
    line, counted = 1, 0
    for match in _SECRET.finditer(content):
        line += content.count(b"\n", counted, match.start())
        counted = match.start()
        assert match.lastindex is not None
        yield Secret(path, line, _KINDS[match.lastindex - 1])
