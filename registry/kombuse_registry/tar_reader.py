"""Reads the headers of a tar archive and takes none that is damaged, doubtful or no plain file.

The standard library's reader ends at a damaged header as if the archive ended there; this one
fails. Formats: POSIX.1-2001 pax (https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html)
and GNU (https://www.gnu.org/software/tar/manual/html_node/Standard.html).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from kombuse_registry.errors import InvalidArchive, UnsafeArchiveEntry

__all__ = ["Entry", "entries"]

_BLOCK = 512
_LONGEST_EXTENSION = 64 * 1024
_REGULAR = (b"0", b"\0")
_DIRECTORY = b"5"
_LONG_NAME = b"L"
_PAX = b"x"
_PAX_GLOBAL = b"g"
_KINDS = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a named pipe",
    b"K": "a link",
    b"S": "a sparse file",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder; its content is `size` bytes from `offset` in the stream."""

    path: str
    is_folder: bool
    is_executable: bool
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class _Header:
    name: bytes
    mode: int
    size: int
    kind: bytes


def entries(stream: IO[bytes], length: int) -> Iterator[Entry]:
    """The members of an archive of `length` bytes, in its order; the root folder has the path "".

    InvalidArchive or UnsafeArchiveEntry at the first that cannot be taken. Names are text without
    a leading `./`, and not checked further.
    """
    at = 0
    path: bytes | None = None
    size: int | None = None
    while True:
        block = _read(stream, at, _BLOCK, length)
        if not any(block):
            if path is not None or size is not None:
                raise InvalidArchive("it ends after an extended header")
            return _check_end(stream, at, length)
        header = _header(block, at)
        at += _BLOCK
        if header.kind in (_PAX, _PAX_GLOBAL, _LONG_NAME):
            data = _extension(stream, at, header.size, length)
            at += _padded(header.size)
            if header.kind == _LONG_NAME:
                found: dict[bytes, bytes] = {b"path": data.rstrip(b"\0")}
            else:
                found = _records(data, at)
            if header.kind == _PAX_GLOBAL:
                _check_global(found)
                continue
            if (b"path" in found and path is not None) or (b"size" in found and size is not None):
                raise UnsafeArchiveEntry("an entry with two names or sizes")
            path = found.get(b"path", path)
            size = _decimal(found[b"size"]) if b"size" in found else size
            continue
        entry = _entry(header, path, size, at)
        path = size = None
        at += _padded(entry.size)
        if at > length:
            raise InvalidArchive("it ends in the middle of an entry")
        yield entry


def _entry(header: _Header, path: bytes | None, size: int | None, offset: int) -> Entry:
    raw = header.name if path is None else path
    shown = ascii(raw[:100].decode(errors="replace"))
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise UnsafeArchiveEntry(f"{shown} is not UTF-8") from None
    # Before POSIX, a folder was a file whose name ends with a slash.
    is_folder = header.kind == _DIRECTORY or (header.kind == b"\0" and name.endswith("/"))
    if not is_folder and header.kind not in _REGULAR:
        kind = _KINDS.get(header.kind, f"an entry of type {header.kind.decode('latin-1')!a}")
        raise UnsafeArchiveEntry(f"{shown} is {kind}")
    length = header.size if size is None else size
    if is_folder:
        name = name.removesuffix("/")
        if length:
            raise InvalidArchive(f"folder {shown} has content")
    name = "" if is_folder and name == "." else name.removeprefix("./")
    return Entry(name, is_folder, bool(header.mode & 0o100), offset, length)


def _header(block: bytes, at: int) -> _Header:
    total = _number(block[148:156], at)
    unsigned = sum(block[:148]) + 8 * 32 + sum(block[156:])
    if total != unsigned:
        raise InvalidArchive(f"damaged header at byte {at}")
    name = block[:100].split(b"\0", 1)[0]
    prefix = block[345:500].split(b"\0", 1)[0] if block[257:263] == b"ustar\0" else b""
    return _Header(
        name=prefix + b"/" + name if prefix else name,
        mode=_number(block[100:108], at),
        size=_number(block[124:136], at),
        kind=block[156:157],
    )


def _number(field: bytes, at: int) -> int:
    """Octal digits; numbers that need more room have a leading bit and are binary."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if digits.strip(b"01234567"):
        raise InvalidArchive(f"damaged header at byte {at}")
    return int(digits or b"0", 8)


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 15:
        raise InvalidArchive("an entry whose size is no number")
    return int(value)


def _extension(stream: IO[bytes], at: int, size: int, length: int) -> bytes:
    if size > _LONGEST_EXTENSION:
        raise UnsafeArchiveEntry(f"an extended header of more than {_LONGEST_EXTENSION} bytes")
    return _read(stream, at, size, length)


def _records(data: bytes, at: int) -> dict[bytes, bytes]:
    """`<length> <key>=<value>` lines, where the length counts the whole line."""
    found: dict[bytes, bytes] = {}
    start = 0
    while start < len(data):
        blank = data.find(b" ", start, start + 7)
        digits = data[start:blank] if blank > 0 else b""
        end = start + int(digits) if digits.isdigit() else 0
        equals = data.find(b"=", blank, end)
        if end > len(data) or equals < 0 or data[end - 1 : end] != b"\n":
            raise InvalidArchive(f"damaged extended header before byte {at}")
        key = data[blank + 1 : equals]
        if key in found:
            raise UnsafeArchiveEntry("an extended header with a key twice")
        if key.startswith(b"GNU.sparse."):
            raise UnsafeArchiveEntry("a sparse file")
        found[key] = data[equals + 1 : end - 1]
        start = end
    return found


def _check_global(found: dict[bytes, bytes]) -> None:
    if {b"path", b"linkpath", b"size"} & found.keys():
        raise UnsafeArchiveEntry("one name or size for all entries")


def _check_end(stream: IO[bytes], at: int, length: int) -> None:
    """Two blocks of zeros end an archive, and nothing but zeros may follow them."""
    if length < at + 2 * _BLOCK:
        raise InvalidArchive("it has no end")
    while at < length:
        part = _read(stream, at, min(64 * 1024, length - at), length)
        if any(part):
            raise InvalidArchive("bytes after its end")
        at += len(part)


def _read(stream: IO[bytes], at: int, size: int, length: int) -> bytes:
    if at + size > length:
        raise InvalidArchive("it is no tar archive" if at == 0 else "it ends too early")
    stream.seek(at)
    return stream.read(size)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
