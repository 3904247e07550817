"""Names of packages, authors and channels: what they may be, so that none is a path."""

import re

from kombuse_sdk.errors import BadRequest

__all__ = [
    "MAX_NAME",
    "PACKAGE",
    "check_author",
    "check_channel",
    "check_name",
    "check_package",
    "is_author",
    "is_channel",
    "is_device",
    "is_package",
    "is_version_name",
    "split_name",
]

MAX_NAME = 100
PACKAGE = r"[a-z0-9]+(?:-[a-z0-9]+)*"

_PACKAGE = re.compile(PACKAGE)
_AUTHOR = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_CHANNEL = _AUTHOR
# No separator and no blank: versions become parts of file names.
_VERSION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.+_-]*[A-Za-z0-9])?")
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}
)


def is_package(name: str) -> bool:
    return _fits(_PACKAGE, name)


def is_author(name: str) -> bool:
    return _fits(_AUTHOR, name)


def is_channel(name: str) -> bool:
    return _fits(_CHANNEL, name)


def is_version_name(text: str) -> bool:
    """Whether a version, be it semantic or not, is fit to be part of a file's name."""
    return _fits(_VERSION, text)


def check_package(name: str) -> str:
    """The name; BadRequest if it is none that a package may have."""
    return _checked("package name", name, is_package(name))


def check_author(name: str) -> str:
    return _checked("author", name, is_author(name))


def check_channel(name: str) -> str:
    return _checked("channel", name, is_channel(name))


def check_name(name: str) -> str:
    """A package by its plain name, or as `author/name`."""
    author, package = split_name(name)
    return _checked(
        "package name", name, is_package(package) and (author is None or is_author(author))
    )


def split_name(name: str) -> tuple[str | None, str]:
    """`author/name` as both, a plain name without an author. Checks nothing."""
    author, slash, package = name.partition("/")
    return (author, package) if slash else (None, name)


def is_device(segment: str) -> bool:
    """Whether a file of this name would be a device on Windows, whatever its extension."""
    return segment.partition(".")[0].rstrip().lower() in _DEVICES


def _fits(pattern: re.Pattern[str], name: str) -> bool:
    return len(name) <= MAX_NAME and bool(pattern.fullmatch(name)) and not is_device(name)


def _checked(what: str, name: str, fits: bool) -> str:
    if not fits:
        raise BadRequest(f"Invalid {what}: {_shown(name)}")
    return name


def _shown(name: str) -> str:
    """A name of a stranger, quoted and of bounded length."""
    return repr(name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}...")
