"""Archives of packages: .tar.gz of plain files, read under limits and written reproducibly.

An archive is checked whole before anybody sees a file of it: its size, the whole gzip stream, then
every header. Nothing is unpacked by a library; files that are written are opened new, in a folder
that did not exist.
"""

import errno
import gzip
import hashlib
import os
import shutil
import stat
import tarfile
import tempfile
import weakref
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import IO

from kombuse_registry.errors import ArchiveTooLarge, InvalidArchive
from kombuse_registry.paths import Paths
from kombuse_registry.tar_reader import Entry, entries
from kombuse_sdk.whole_files import replacing

__all__ = [
    "LIMITS",
    "PLUGIN_JSON",
    "Archive",
    "ArchiveInfo",
    "Limits",
    "read_archive",
    "unpack",
    "write_archive",
]

PLUGIN_JSON = ".kombuse-plugin/plugin.json"

_MIB = 1024 * 1024
_CHUNK = 64 * 1024
# Archives that are larger when unpacked lie in a temporary file, not in memory.
_IN_MEMORY = _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Sizes in bytes. The ratio of unpacked to packed counts from `ratio_above` unpacked bytes.

    There may be as many folders as entries, whether they have entries of their own or not.
    """

    packed: int = 15 * _MIB
    unpacked: int = 50 * _MIB
    entries: int = 2000
    file: int = 5 * _MIB
    ratio: int = 200
    ratio_above: int = _MIB

    def check_packed(self, size: int) -> None:
        if size > self.packed:
            raise ArchiveTooLarge(f"more than {_shown(self.packed)}")

    def check_unpacked(self, size: int, packed: int | None = None) -> None:
        """`packed` is the size of the whole archive."""
        if size > self.unpacked:
            raise ArchiveTooLarge(f"more than {_shown(self.unpacked)} when unpacked")
        if packed is not None and size > max(self.ratio_above, packed * self.ratio):
            raise ArchiveTooLarge(f"more than {self.ratio} times its size when unpacked")

    def check_entries(self, number: int, folders: int) -> None:
        if number > self.entries:
            raise ArchiveTooLarge(f"more than {self.entries} entries")
        if folders > self.entries:
            raise ArchiveTooLarge(f"more than {self.entries} folders")

    def check_file(self, path: str, size: int) -> None:
        if size > self.file:
            raise ArchiveTooLarge(f"{path[:100]!a} has more than {_shown(self.file)}")


LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveInfo:
    """An archive on disk; `checksum` is the lower-case hex SHA-256 of its bytes, `size` theirs."""

    path: Path
    checksum: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive(ArchiveInfo):
    """An archive that was checked whole.

    `files` has the regular files by their paths from the root of the package, in byte order; each
    is read when it is asked for.
    """

    files: Mapping[str, bytes]
    executables: frozenset[str]


def read_archive(
    path: Path, limits: Limits = LIMITS, roots: Sequence[str] = (PLUGIN_JSON,)
) -> Archive:
    """Check an archive whole. `roots` are files of which the first that is there tells the root.

    The root is that of the archive, or else its only folder. Raises InvalidArchive,
    UnsafeArchiveEntry, ArchiveTooLarge, or OSError when there is no file to read.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
    try:
        with _opened(path) as file:
            checksum, size = _decompress(file, spool, limits)
        found = _checked(spool, limits)
    except BaseException:
        spool.close()
        raise
    root = _root(found, roots)
    return Archive(
        path=path,
        checksum=checksum,
        size=size,
        files=_Files(spool, {name.removeprefix(root): entry for name, entry in found.items()}),
        executables=frozenset(
            name.removeprefix(root) for name, entry in found.items() if entry.is_executable
        ),
    )


def write_archive(
    files: Mapping[str, bytes],
    target: Path,
    mtime: int = 0,
    *,
    executables: Collection[str] = (),
    limits: Limits = LIMITS,
) -> ArchiveInfo:
    """Write files in byte order of their paths; equal input makes equal bytes.

    `mtime` is in seconds since 1970. The target is replaced at once, or left as it was when the
    archive could not be read again (the errors of `read_archive`).
    """
    paths = Paths()
    for path in files:
        paths.add(path, is_folder=False)
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target, 0o644) as file:
        with gzip.GzipFile("", "wb", 9, file, mtime=0) as stream:
            for path in sorted(files, key=str.encode):
                _add(stream, path, files[path], mtime, path in executables)
            stream.write(bytes(2 * tarfile.BLOCKSIZE))
        file.flush()
        written = read_archive(Path(file.name), limits)
    return ArchiveInfo(path=target, checksum=written.checksum, size=written.size)


def unpack(archive: Archive, folder: Path) -> None:
    """Write all files below a new folder, which appears with all of them or not at all.

    FileExistsError when something is there; an empty folder may be.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".unpacking-", dir=folder.parent))
    try:
        for path, content in archive.files.items():
            _make_folder(temporary, path.rpartition("/")[0])
            _write(temporary / path, content, 0o755 if path in archive.executables else 0o644)
        temporary.chmod(0o755)
        temporary.rename(folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            raise FileExistsError(f"{folder} is there already") from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class _Files(Mapping[str, bytes]):
    """Reads from the unpacked stream, which is closed when nobody holds this any more."""

    def __init__(self, stream: IO[bytes], found: Mapping[str, Entry]) -> None:
        self._stream = stream
        self._lock = Lock()
        self._entries = {path: found[path] for path in sorted(found, key=str.encode)}
        weakref.finalize(self, stream.close)

    def __getitem__(self, path: str) -> bytes:
        entry = self._entries[path]
        with self._lock:
            self._stream.seek(entry.offset)
            return self._stream.read(entry.size)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def _opened(path: Path) -> IO[bytes]:
    """Opening waits for nothing, whatever is there."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidArchive("it is no regular file")
    return os.fdopen(descriptor, "rb", buffering=0)


def _decompress(file: IO[bytes], target: IO[bytes], limits: Limits) -> tuple[str, int]:
    """The whole stream into `target`: SHA-256 and size of the packed bytes.

    zlib itself checks the CRC and the length that follow the data.
    """
    most = os.fstat(file.fileno()).st_size
    limits.check_packed(most)
    digest = hashlib.sha256()
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    packed = unpacked = 0
    while part := file.read(_CHUNK):
        digest.update(part)
        packed += len(part)
        if packed > most:
            raise InvalidArchive("it grew while it was read")
        while part and not inflate.eof:
            try:
                data = inflate.decompress(part, _CHUNK)
            except zlib.error as error:
                reason = str(error).rpartition(": ")[2]
                raise InvalidArchive(f"damaged gzip data ({reason})") from None
            part = inflate.unconsumed_tail
            unpacked += len(data)
            limits.check_unpacked(unpacked, most)
            target.write(data)
        if part or inflate.unused_data:
            raise InvalidArchive("bytes after the end of the gzip stream")
    if not inflate.eof:
        raise InvalidArchive("the gzip stream is cut short" if packed else "it is empty")
    return digest.hexdigest(), packed


def _checked(spool: IO[bytes], limits: Limits) -> dict[str, Entry]:
    """All files of the archive by their paths from its own root."""
    length = spool.seek(0, os.SEEK_END)
    found: dict[str, Entry] = {}
    paths = Paths()
    for number, entry in enumerate(entries(spool, length), 1):
        limits.check_entries(number, paths.folders)
        if entry.is_folder and not entry.path:
            continue
        paths.add(entry.path, entry.is_folder)
        limits.check_file(entry.path, entry.size)
        if not entry.is_folder:
            found[entry.path] = entry
    return found


def _root(found: Collection[str], roots: Sequence[str]) -> str:
    """The prefix of the package's paths."""
    folders = {path.partition("/")[0] + "/" for path in found}
    prefixes = ("", *folders) if len(folders) == 1 else ("",)
    return next((prefix for root in roots for prefix in prefixes if prefix + root in found), "")


def _add(stream: gzip.GzipFile, path: str, content: bytes, mtime: int, is_executable: bool) -> None:
    header = tarfile.TarInfo(f"./{path}")
    header.size = len(content)
    header.mtime = mtime
    header.mode = 0o755 if is_executable else 0o644
    stream.write(header.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict"))
    stream.write(content)
    stream.write(bytes(-len(content) % tarfile.BLOCKSIZE))


def _make_folder(root: Path, path: str) -> None:
    if path and not (root / path).is_dir():
        _make_folder(root, path.rpartition("/")[0])
        (root / path).mkdir()
        (root / path).chmod(0o755)


def _write(path: Path, content: bytes, mode: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)


def _shown(size: int) -> str:
    return f"{size // _MIB} MiB" if size >= _MIB else f"{size} bytes"
