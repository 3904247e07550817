"""Backups: the database and the uploaded files as one checked archive, while a server runs.

An archive is a .tar.gz with `data.db`, `uploads/` and, at the end, `manifest.json`: the format,
when it was made, how many rows each table has, and the SHA-256 of each file. A copy that does not
prove sound is not kept.
"""

import json
import os
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from kombuse_sdk.schemas import timestamp

if TYPE_CHECKING:
    import tarfile

__all__ = [
    "SUFFIX",
    "Backup",
    "BackupError",
    "Stopped",
    "clear_leavings",
    "copy_database",
    "is_archive",
    "list_backups",
    "new_name",
    "prune",
    "unpack",
    "write_archive",
]

SUFFIX = ".tar.gz"
_DATABASE = "data.db"
_UPLOADS = "uploads"
_MANIFEST = "manifest.json"
_FORMAT = 1
_NAME = re.compile(r"(scheduled|manual)-\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z\.tar\.gz", re.ASCII)
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
_WORK = ".backup-"
_ABANDONED_SECONDS = 24 * 3600
_CHUNK = 1024 * 1024
_STEPS_BETWEEN_LOOKS = 100_000
_SHOWN = 5


class BackupError(Exception):
    """A backup that cannot be made, or used; the text says why."""


class Stopped(BackupError):
    """The caller does not want it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """An archive in a folder; `kind` is `scheduled` or `manual`."""

    name: str
    kind: str
    size: int
    created_at: str


def _never() -> bool:
    return False


def copy_database(
    source: sqlite3.Connection, target: Path, is_stopped: Callable[[], bool] = _never
) -> dict[str, int]:
    """Copy a database in use into one new private file, and prove that it is sound; its row counts.

    Writers go on meanwhile, the copy is of one moment. Raises FileExistsError, sqlite3.Error, or
    Stopped; then there is no file.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(target, isolation_level=None)) as copy:
            with _stopping(source, is_stopped), _snapshot(source):
                rows = _row_counts(source)
                source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            with _stopping(copy, is_stopped):
                _prove(copy, rows)
        _sync(target)
    except BaseException:
        target.unlink()
        raise
    return rows


def write_archive(
    database: Path, uploads: Path, target: Path, is_stopped: Callable[[], bool] = _never
) -> None:
    """Make an archive, read it again, and only then give it its name.

    Raises BackupError, FileExistsError, OSError or sqlite3.Error; then there is no file.
    """
    if not database.is_file():
        raise FileNotFoundError(2, "there is no database", str(database))
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=_WORK))
    try:
        # First the files, as links: one that is deleted from now on is in the copied database.
        _link_tree(uploads, folder / _UPLOADS)
        with closing(_reading(database)) as source:
            rows = copy_database(source, folder / _DATABASE, is_stopped)
        _link_tree(uploads, folder / _UPLOADS)
        made = folder / "archive"
        _pack(folder, made, rows, is_stopped)
        with _contents(made) as members:
            for _, file in members:
                _exhaust(file, is_stopped)
        os.link(made, target)
        _sync(target.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_archive(path: Path) -> bool:
    """By its first bytes, for people rename files."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def unpack(archive: Path, folder: Path) -> tuple[Path, Path]:
    """Write what an archive holds into an empty folder; the database and the folder of uploads.

    Raises BackupError for an archive that is damaged or none of ours.
    """
    uploads = folder / _UPLOADS
    uploads.mkdir(mode=0o700)
    with _contents(archive) as members:
        for name, file in members:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as target:
                shutil.copyfileobj(file, target, _CHUNK)
                target.flush()
                os.fsync(descriptor)
    return folder / _DATABASE, uploads


def new_name(kind: str) -> str:
    return f"{kind}-{timestamp().replace(':', '')}{SUFFIX}"


def list_backups(folder: Path) -> list[Backup]:
    """The archives in a folder, newest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match is not None and path.is_file():
            day, _, time = (
                path.name.removeprefix(f"{match[1]}-").removesuffix(SUFFIX).partition("T")
            )
            moment = f"{day}T{time[:2]}:{time[2:4]}:{time[4:]}"
            size = path.stat().st_size
            found.append(Backup(name=path.name, kind=match[1], size=size, created_at=moment))
    return sorted(found, key=lambda item: item.created_at, reverse=True)


def prune(folder: Path, keep: int) -> list[str]:
    """Remove all but the newest scheduled archives; the names of the removed ones."""
    scheduled = [item.name for item in list_backups(folder) if item.kind == "scheduled"]
    for name in scheduled[keep:]:
        (folder / name).unlink(missing_ok=True)
    return scheduled[keep:]


def clear_leavings(folder: Path) -> None:
    """Remove what backups left that were killed; one that another process makes now is younger."""
    for path in folder.glob(f"{_WORK}*"):
        if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _reading(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None
    )
    connection.execute("PRAGMA busy_timeout = 5000")
    return connection


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """One moment of the database, for several statements."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


@contextmanager
def _stopping(connection: sqlite3.Connection, is_stopped: Callable[[], bool]) -> Iterator[None]:
    connection.set_progress_handler(is_stopped, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if is_stopped():
            raise Stopped("it was stopped") from error
        raise
    finally:
        connection.set_progress_handler(None, 0)


def _row_counts(connection: sqlite3.Connection) -> dict[str, int]:
    names = [name for (name, *_) in connection.execute(_TABLES).fetchall()]
    return {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
        for name in sorted(names)
    }


def _prove(copy: sqlite3.Connection, rows: dict[str, int]) -> None:
    found = [text for (text,) in copy.execute(f"PRAGMA integrity_check({_SHOWN})").fetchall()]
    if found != ["ok"]:
        raise sqlite3.DatabaseError("; ".join(found))
    if _row_counts(copy) != rows:
        raise sqlite3.DatabaseError("the copy has other rows than the database")


def _link_tree(source: Path, target: Path) -> None:
    """Links to every plain file below a folder, which cost no space; copies where there are none.

    Uploads in progress are in a hidden folder, and are left out.
    """
    for folder, folders, names in os.walk(source):
        folders[:] = [name for name in folders if not name.startswith(".")]
        place = target / Path(folder).relative_to(source)
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in names:
            path = Path(folder, name)
            if not path.is_symlink():
                _link(path, place / name)


def _link(path: Path, name: Path) -> None:
    try:
        os.link(path, name)
    except (FileExistsError, FileNotFoundError):  # from the first round; deleted meanwhile
        return
    except OSError:
        shutil.copyfile(path, name)


def _pack(folder: Path, target: Path, rows: dict[str, int], is_stopped: Callable[[], bool]) -> None:
    import io
    import tarfile

    hashes: dict[str, str] = {}
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
            for path in [folder / _DATABASE, *sorted((folder / _UPLOADS).rglob("*"))]:
                if path.is_file():
                    name = path.relative_to(folder).as_posix()
                    with path.open("rb") as content:
                        source = _Hashing(content, is_stopped)
                        archive.addfile(_entry(name, path.stat().st_size), source)
                    hashes[name] = source.digest
            manifest = {"format": _FORMAT, "created_at": timestamp(), "rows": rows}
            text = json.dumps(manifest | {"files": hashes}, indent=1).encode()
            archive.addfile(_entry(_MANIFEST, len(text)), io.BytesIO(text))
        file.flush()
        os.fsync(descriptor)


def _entry(name: str, size: int) -> "tarfile.TarInfo":
    import tarfile

    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(time.time())
    return entry


class _Hashing:
    """A file that is read to its end, and the SHA-256 of it."""

    def __init__(self, file: IO[bytes], is_stopped: Callable[[], bool] = _never) -> None:
        import hashlib

        self._file = file
        self._hash = hashlib.sha256()
        self._is_stopped = is_stopped

    def read(self, size: int = -1) -> bytes:
        if self._is_stopped():
            raise Stopped("it was stopped")
        data = self._file.read(size)
        self._hash.update(data)
        return data

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


@contextmanager
def _contents(archive: Path) -> Iterator[Iterator[tuple[str, Any]]]:
    """Name and content of each file, in the order of the archive; checked when all were read."""
    import tarfile
    import zlib

    try:
        with tarfile.open(archive, "r|gz") as opened:
            yield _checked(opened)
    except (tarfile.TarError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{archive.name} is damaged, or no backup: {error}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise BackupError(f"{archive.name} is damaged: {error}") from error


def _checked(opened: "tarfile.TarFile") -> Iterator[tuple[str, Any]]:
    hashes: dict[str, str] = {}
    manifest: dict[str, Any] | None = None
    for member in opened:
        file = opened.extractfile(member)
        if file is None or not member.isreg() or not _is_ours(member.name):
            raise BackupError(f"it holds {member.name!r}, which no backup does")
        if member.name == _MANIFEST:
            manifest = json.loads(file.read())
            continue
        source = _Hashing(file)
        yield member.name, source
        hashes[member.name] = source.digest
    if manifest is None or manifest["format"] != _FORMAT:
        raise BackupError("it was made by another version of Kombuse, or is not complete")
    if manifest["files"] != hashes or _DATABASE not in hashes:
        raise BackupError("what it holds is not what was put into it")


def _is_ours(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return name in (_DATABASE, _MANIFEST) or (
        len(parts) > 1
        and parts[0] == _UPLOADS
        and "/".join(parts) == name
        and ".." not in parts
        and "\\" not in name
    )


def _exhaust(file: Any, is_stopped: Callable[[], bool]) -> None:
    while file.read(_CHUNK):
        if is_stopped():
            raise Stopped("it was stopped")


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
