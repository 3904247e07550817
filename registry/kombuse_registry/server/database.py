"""The registry's SQLite file: one writer at a time, readers that cannot write, migrations.

The discipline is that of the tracker's own database. Here a commit is on the disk before it is
answered, for what was published is never published again.
"""

import asyncio
import hashlib
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from kombuse_sdk.schemas import timestamp

__all__ = ["Database", "DatabaseUnusable", "Tx"]

T = TypeVar("T")
Params = Sequence[Any] | dict[str, Any]
_LEDGER = """
CREATE TABLE IF NOT EXISTS migrations (
    name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TEXT NOT NULL
) STRICT
"""
_READERS = 4


class DatabaseUnusable(Exception):
    """Another version or program made the file; it was not changed."""


class Tx:
    """One transaction; SQLite itself refuses the writes of a reading one."""

    __slots__ = ("_connection", "_now")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._now: str | None = None

    @property
    def now(self) -> str:
        if self._now is None:
            self._now = timestamp()
        return self._now

    def all(self, sql: str, params: Params = ()) -> list[Any]:
        return self._connection.execute(sql, params).fetchall()

    def one(self, sql: str, params: Params = ()) -> Any:
        return self._connection.execute(sql, params).fetchone()

    def value(self, sql: str, params: Params = ()) -> Any:
        row = self._connection.execute(sql, params).fetchone()
        return None if row is None else row[0]

    def values(self, sql: str, params: Params = ()) -> list[Any]:
        return [row[0] for row in self._connection.execute(sql, params)]

    def execute(self, sql: str, params: Params = ()) -> int:
        """The number of changed rows."""
        return self._connection.execute(sql, params).rowcount

    def many(self, sql: str, rows: Iterator[Params] | Sequence[Params]) -> None:
        self._connection.executemany(sql, rows)

    def insert(self, table: str, **values: Any) -> int:
        """The id of the new row. Raises sqlite3.IntegrityError."""
        marks = ", ".join(f":{name}" for name in values)
        sql = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})"
        cursor = self._connection.execute(sql, values)
        return cursor.lastrowid or 0


class Database:
    """Opens the file, makes it if need be, and brings it up to this version."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
        self._idle: list[sqlite3.Connection] = []
        _prepare(path)
        self._writer = _connect(path, read_only=False)
        try:
            _migrate(self._writer)
        except BaseException:
            self._writer.close()
            raise
        self._write_pool = ThreadPoolExecutor(1, "registry-write")
        self._read_pool = ThreadPoolExecutor(_READERS, "registry-read")

    @contextmanager
    def read(self) -> Iterator[Tx]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = _connect(self._path, read_only=True)
            self._readers.append(connection)
        connection.execute("BEGIN")
        try:
            yield Tx(connection)
        finally:
            connection.execute("ROLLBACK")
            self._idle.append(connection)

    @contextmanager
    def write(self) -> Iterator[Tx]:
        with self._turn:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield Tx(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def read_async(self, work: Callable[[Tx], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._read_pool, self._read, work)

    def write_async(self, work: Callable[[Tx], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._write_pool, self._write, work)

    def close(self) -> None:
        self._write_pool.shutdown()
        self._read_pool.shutdown()
        with self._turn:
            for connection in self._readers:
                connection.close()
            self._writer.close()

    def _read(self, work: Callable[[Tx], T]) -> T:
        with self.read() as tx:
            return work(tx)

    def _write(self, work: Callable[[Tx], T]) -> T:
        with self.write() as tx:
            return work(tx)


def _prepare(path: Path) -> None:
    """Ours before SQLite opens it: readable by nobody else, and no planted link."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


def _connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA cache_size = -4000")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    """Each file and its row in the ledger commit together; what is applied never changes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(_LEDGER)
        applied = dict(connection.execute("SELECT name, checksum FROM migrations").fetchall())
        known = _migrations()
        for name, checksum in applied.items():
            if name not in known:
                raise DatabaseUnusable(f"a newer version made it (it has migration {name})")
            if hashlib.sha256(known[name].encode()).hexdigest() != checksum:
                raise DatabaseUnusable(f"migration {name} has changed since it was applied")
        for name in sorted(known.keys() - applied.keys()):
            for statement in _statements(known[name]):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migrations VALUES (?, ?, ?)",
                (name, hashlib.sha256(known[name].encode()).hexdigest(), timestamp()),
            )
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _migrations() -> dict[str, str]:
    folder = files("kombuse_registry.server") / "migrations"
    return {
        file.name[:-4]: file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


def _statements(sql: str) -> Iterator[str]:
    """Single statements of a script; `executescript` would commit behind our back."""
    pending = ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
