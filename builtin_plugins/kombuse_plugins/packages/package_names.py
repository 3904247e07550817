"""What a person may name to be installed: a folder, an archive, a package, a repository, pip."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kombuse_sdk.console import CommandError, ExitCode

__all__ = ["Wanted", "parse"]

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_PACKAGE = re.compile(r"(?:[a-z0-9-]+/)?[a-z0-9]+(?:-[a-z0-9]+)*")
# `x` and `v1` are versions.
_CHANNEL = re.compile(r"(?!x$|v\d)[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`text` is an absolute path, a name, `owner/repo` or a requirement of pip.

    `version` is as the API takes it: exact, a range, `@channel`, or None for the latest.
    """

    kind: Literal["path", "feed", "github", "pip"]
    text: str
    version: str | None = None


def parse(source: str) -> Wanted:
    """Raises CommandError. A path that exists is one, whatever else its name could be."""
    prefix, colon, rest = source.partition(":")
    if colon and prefix == "pip":
        return Wanted(kind="pip", text=_required(rest, not rest.startswith("-"), source))
    if colon and prefix == "github":
        repository, _, version = rest.partition("@")
        text = _required(repository, bool(_REPOSITORY.fullmatch(repository)), source)
        return Wanted(kind="github", text=text, version=_version(version))
    path = Path(source).expanduser()
    if source and path.exists():
        return Wanted(kind="path", text=str(path.resolve()))
    if source.startswith((".", "/", "~")) or source.endswith((".tar.gz", ".tgz")):
        raise CommandError(f"there is no folder or file {source}", ExitCode.NOT_FOUND)
    name, _, version = source.partition("@")
    text = _required(name, bool(_PACKAGE.fullmatch(name)), source)
    return Wanted(kind="feed", text=text, version=_version(version))


def _required(text: str, is_right: bool, source: str) -> str:
    if text and is_right:
        return text
    raise CommandError(
        f"{source} is no folder, .tar.gz, author/name[@version], github:owner/repo or pip:name",
        ExitCode.USAGE,
    )


def _version(text: str) -> str | None:
    if text in ("", "latest"):
        return None
    return f"@{text}" if _CHANNEL.fullmatch(text) else text
