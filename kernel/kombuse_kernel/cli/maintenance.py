"""Checking, backing up and restoring the database file."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from kombuse_kernel import migrations
from kombuse_kernel.config import Config
from kombuse_kernel.migrations import Migration, MigrationError
from kombuse_sdk import backups
from kombuse_sdk.schemas import timestamp

__all__ = ["Finding", "Former", "back_up", "check", "restore"]

_LOGS = ("-wal", "-journal")
_SEARCH_TABLES = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%USING fts5%'"
_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found: `problems` is empty when all is well; `note` is good to know."""

    check: str
    problems: list[str]
    note: str | None = None


def check(path: Path, wanted: Iterable[Migration]) -> list[Finding]:
    """Every check of a database, which a server may be using. Raises FileNotFoundError."""
    if not path.exists():
        raise FileNotFoundError(2, "there is no database", str(path))
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as connection:
        connection.execute("PRAGMA busy_timeout = 5000")
        return [
            _finding("structure", lambda: _structure(connection)),
            _finding("references", lambda: _references(connection)),
            _finding("search", lambda: _search(connection)),
            _versions(connection, wanted),
        ]


def back_up(path: Path, target: Path) -> None:
    """Copy a database, which a server may be using, into one new file, and prove that it is sound.

    Raises FileExistsError, FileNotFoundError, sqlite3.Error.
    """
    with _reading(path) as source:
        backups.copy_database(source, target)


@dataclass(frozen=True, slots=True)
class Former:
    """Where the database, and the uploads, that a backup took the place of are kept."""

    database: Path | None
    uploads: Path | None = None


def restore(config: Config, source: Path, wanted: Iterable[Migration]) -> Former:
    """Put a checked copy of `source`, a database or an archive, in the place of what there is.

    The caller holds the home. Nothing is changed when the source is damaged (sqlite3.Error,
    BackupError) or does not fit this version (MigrationError).
    """
    if not source.is_file():
        raise FileNotFoundError(2, "there is no such file", str(source))
    if not backups.is_archive(source):
        return Former(_restore_database(config, source, wanted))
    folder = Path(tempfile.mkdtemp(dir=config.home, prefix="restore-"))
    try:
        database, uploads = backups.unpack(source, folder)
        former = _restore_database(config, database, wanted)
        return Former(former, _restore_uploads(config, uploads))
    finally:
        shutil.rmtree(folder)


def _restore_uploads(config: Config, uploads: Path) -> Path | None:
    former = None
    if config.uploads.exists() and any(config.uploads.iterdir()):
        config.backups.mkdir(parents=True, exist_ok=True, mode=0o700)
        former = config.backups / f"before-restore-{timestamp().replace(':', '')}-uploads"
        config.uploads.rename(former)
    uploads.replace(config.uploads)
    _sync(config.home)
    return former


def _restore_database(config: Config, source: Path, wanted: Iterable[Migration]) -> Path | None:
    path = config.database_path
    with _reading(source) as connection:
        problems = _structure(connection) + _references(connection)
        if problems:
            raise sqlite3.DatabaseError("; ".join(problems[:_SHOWN]))
        if not migrations.is_ours(connection):
            raise MigrationError("kernel", "it was made by another program")
        migrations.pending(connection, wanted)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(dir=path.parent, prefix="restore-"))
    try:
        copy = folder / path.name
        back_up(source, copy)
        former = _put_aside(path, config.backups) if path.exists() else None
        copy.replace(path)
        _sync(path.parent)
    finally:
        shutil.rmtree(folder)
    return former


def _put_aside(path: Path, backups: Path) -> Path:
    """Keep the database, with its log, which must not stay beside another one, as it is."""
    backups.mkdir(parents=True, exist_ok=True, mode=0o700)
    former = backups / f"before-restore-{timestamp().replace(':', '')}.db"
    for suffix in ("", *_LOGS):
        if path.with_name(path.name + suffix).exists():
            _link(path.with_name(path.name + suffix), former.with_name(former.name + suffix))
    for suffix in (*_LOGS, "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return former


def _link(path: Path, name: Path) -> None:
    try:
        os.link(path, name)
    except OSError:  # another file system, or one without links
        shutil.copy2(path, name)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise FileNotFoundError(2, "there is no such file", str(path))
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute("PRAGMA busy_timeout = 5000")
        yield connection


def _finding(name: str, find: Callable[[], list[str]]) -> Finding:
    try:
        problems = find()
    except sqlite3.DatabaseError as error:
        problems = [str(error)]
    return Finding(check=name, problems=problems)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _structure(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("PRAGMA integrity_check(100)").fetchall()
    return [text for (text,) in rows if text != "ok"]


def _references(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("PRAGMA foreign_key_check").fetchall()
    return [f"row {row} of {table} points to no row of {parent}" for table, row, parent, _ in rows]


def _search(connection: sqlite3.Connection) -> list[str]:
    """FTS5 compares each index with the table that it is made of."""
    problems = []
    for (name,) in connection.execute(_SEARCH_TABLES).fetchall():
        try:
            connection.execute(
                f'INSERT INTO "{name}" ("{name}", rank) VALUES (?, 1)', ("integrity-check",)
            )
        except sqlite3.DatabaseError as error:
            problems.append(f"the index {name} does not fit its table: {error}")
        connection.rollback()
    return problems


def _versions(connection: sqlite3.Connection, wanted: Iterable[Migration]) -> Finding:
    try:
        missing = len(migrations.pending(connection, wanted))
    except (MigrationError, sqlite3.DatabaseError) as error:
        return Finding(check="versions", problems=[str(error)])
    note = f"{missing} upgrades wait for the next start, or `kombuse db migrate`"
    return Finding(check="versions", problems=[], note=note if missing else None)
