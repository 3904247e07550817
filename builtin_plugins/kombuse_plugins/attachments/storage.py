"""Files on disk: their names, and folders that nobody else reads and no link leads out of."""

import os
import re
import stat
import unicodedata
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kombuse_sdk.errors import Forbidden

__all__ = [
    "StoredFile",
    "base_name",
    "clear_incoming",
    "locate",
    "new_incoming",
    "new_storage_path",
    "place",
    "remove",
]

_MAX_NAME_BYTES = 255
_MAX_SUFFIX_BYTES = 20
_INCOMING = ".incoming"
_STORAGE_PATH = re.compile(r"\d{4}/\d{2}/[A-Za-z0-9._-]{1,255}", re.ASCII)
_BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_UNWANTED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def base_name(raw: bytes) -> str:
    """The name to show for a file: no folders, nothing invisible that changes how it reads.

    At most 255 bytes of UTF-8; `file` when nothing is left.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    text = re.split(r"[/\\]", text)[-1]
    text = "".join(
        character
        for character in text
        if character not in _BIDI_CONTROLS and unicodedata.category(character) not in _UNWANTED
    ).strip()
    return _shortened("file" if text in ("", ".", "..") else text, _MAX_NAME_BYTES)


def new_storage_path(filename: str, now: str) -> str:
    """`<YYYY>/<MM>/<uuid>-<name>` for a timestamp; the name in ASCII letters, digits and `._-`."""
    unique = f"{uuid.uuid4()}-"
    safe = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
    return f"{now[:4]}/{now[5:7]}/{unique}{_shortened(safe, _MAX_NAME_BYTES - len(unique))}"


def new_incoming(uploads: Path) -> tuple[Path, int]:
    """A new empty file for an upload in progress, and its descriptor for writing."""
    path = _folder(_folder(uploads) / _INCOMING) / uuid.uuid4().hex
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
    return path, os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)


def clear_incoming(uploads: Path) -> None:
    """Remove what uploads left that a crash ended."""
    folder = uploads / _INCOMING
    if _is_real_folder(uploads) and _is_real_folder(folder):
        for path in folder.iterdir():
            with suppress(OSError):
                path.unlink()


def place(incoming: Path, uploads: Path, storage_path: str) -> None:
    """Move a complete upload to where it is kept."""
    year, month, name = storage_path.split("/")
    incoming.rename(_folder(_folder(_folder(uploads) / year) / month) / name)


@dataclass(frozen=True, slots=True)
class StoredFile:
    path: Path
    status: os.stat_result


def locate(uploads: Path, storage_path: str) -> StoredFile | None:
    """The stored file; None when it is not there, or not a plain file in plain folders."""
    if not _STORAGE_PATH.fullmatch(storage_path):
        return None
    path = uploads / storage_path
    if not all(map(_is_real_folder, (uploads, path.parent.parent, path.parent))):
        return None
    status = _status(path)
    if status is None or not stat.S_ISREG(status.st_mode):
        return None
    return StoredFile(path, status)


def remove(uploads: Path, storage_path: str) -> None:
    """Remove a stored file if it is there. OSError when it cannot be removed."""
    file = locate(uploads, storage_path)
    if file is not None:
        file.path.unlink(missing_ok=True)


def _folder(path: Path) -> Path:
    """The folder, made when missing. Forbidden when something else has its name."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not _is_real_folder(path):
            raise Forbidden(f"{path.name} is no folder of the server, it is not used") from None
    return path


def _is_real_folder(path: Path) -> bool:
    status = _status(path)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _shortened(name: str, limit: int) -> str:
    """The name in at most `limit` bytes of UTF-8, its suffix kept."""
    if len(name.encode()) <= limit:
        return name
    stem, dot, suffix = name.rpartition(".")
    ending = (dot + suffix).encode()
    if not stem or len(ending) > _MAX_SUFFIX_BYTES:
        stem, ending = name, b""
    return stem.encode()[: limit - len(ending)].decode("utf-8", "ignore") + ending.decode()
