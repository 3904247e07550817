"""The transactions and migrations of the registry.

A commit is on the disk before it is answered, for what was published is never published again.
"""

import hashlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from kombuse_sdk.schemas import timestamp
from kombuse_sdk.sqlite_file import SqliteFile

__all__ = ["Database", "DatabaseUnusable", "Tx"]

T = TypeVar("T")
Params = Sequence[Any] | dict[str, Any]
_LEDGER = """
CREATE TABLE IF NOT EXISTS migrations (
    name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TEXT NOT NULL
) STRICT
"""


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
        self._file = SqliteFile(path, "registry", is_durable=True)
        self.close = self._file.close
        try:
            _migrate(self._file.writer)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[Tx]:
        with self._file.reading() as connection:
            yield Tx(connection)

    @contextmanager
    def write(self) -> Iterator[Tx]:
        with self._file.writing() as connection:
            yield Tx(connection)

    def read_async(self, work: Callable[[Tx], T]) -> Awaitable[T]:
        return self._file.in_reader(self.read, work)

    def write_async(self, work: Callable[[Tx], T]) -> Awaitable[T]:
        return self._file.in_writer(self.write, work)


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
