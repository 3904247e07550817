"""Finds private keys and tokens of well-known services in files that are about to be published."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["Secret", "find_secrets"]

# A line end, in JSON an escaped one, perhaps some headers, and the beginning of the key itself.
_PRIVATE_KEY = (
    rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    rb"[ \t\r]*(?:\n|\\n)[\s\S]{0,200}?[A-Za-z0-9+/=]{24}"
)
_KINDS = {
    "a private key": _PRIVATE_KEY,
    "a Kombuse registry token": rb"\bkmb_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,64}_[A-Za-z0-9]{6}\b",
    "an Anthropic key": rb"\bsk-ant-[\w-]{16,}",
    "an OpenAI key": rb"\bsk-(?!ant-)(?=[A-Za-z_-]{0,40}\d)[A-Za-z0-9_-]{32,}",
    "a GitHub token": rb"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{30,})",
    "a GitLab token": rb"\bglpat-[\w-]{20,}",
    "an AWS key": rb"\bA[KS]IA[0-9A-Z]{16}\b",
    "a Google key": rb"\bAIza[\w-]{35}\b",
    "a Slack token": rb"\bxox[abeprs]-[\w-]{10,}",
    "a Stripe key": rb"\b[rs]k_live_[A-Za-z0-9]{16,}",
    "an npm token": rb"\bnpm_[A-Za-z0-9]{36}\b",
    "a PyPI token": rb"\bpypi-AgE[\w-]{50,}",
    "a Hugging Face token": rb"\bhf_[A-Za-z]{34}\b",
}
_NAMES = tuple(_KINDS)
_SECRET = re.compile(b"|".join(b"(%b)" % pattern for pattern in _KINDS.values()))


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
        yield Secret(path, line, _NAMES[match.lastindex - 1])
