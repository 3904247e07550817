"""SQLite: one writer at a time in a fair queue, many readers, and the transactions plugins see."""

import asyncio
import json
import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sqlmodel import SQLModel

from kombuse_sdk.events import Event, StoredEvent
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import Params
from kombuse_sdk.types import Kernel, Services

__all__ = ["FairLock", "SqliteDatabase", "Transaction", "connect"]

T = TypeVar("T")
M = TypeVar("M", bound=SQLModel)
log = logging.getLogger("kombuse.database")

# Times never go back, even when the clock is put back.
_INSERT_EVENT = """
INSERT INTO events (event_type, project_id, ticket_id, comment_id, actor_id, actor_type, payload,
                    kombuse_session_id, created_at)
VALUES (:event_type, :project_id, :ticket_id, :comment_id, :actor_id, :actor_type, :payload,
        :kombuse_session_id,
        max(:now, ifnull((SELECT created_at FROM events ORDER BY id DESC LIMIT 1), '')))
RETURNING id, created_at
"""
# Bytes from SQLite itself: a page is one step, and its text is neither joined nor encoded here.
_AS_LIST = """
WITH page (item) AS ({})
SELECT CAST('[' || ifnull(group_concat(item), '') || ']' AS BLOB) FROM page
"""
_EVENT_FIELDS = tuple(field.name for field in fields(Event))


def connect(path: Path, *, read_only: bool) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from any thread, foreign keys on."""
    uri = f"{path.as_uri()}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute(f"PRAGMA cache_size = {-8000 if read_only else -16000}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        # Every 32 MB of log: with SQLite's 4 MB a checkpoint took a fifth of all writing.
        connection.execute("PRAGMA wal_autocheckpoint = 8000")
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


class FairLock:
    """A lock that is handed on in the order in which threads asked for it."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def __enter__(self) -> None:
        with self._mutex:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


class Transaction:
    """Both kinds of transaction of the SDK; SQLite itself refuses writes of a reading one."""

    __slots__ = ("_actions", "_connection", "_database", "_now", "events", "kernel")

    def __init__(self, connection: sqlite3.Connection, database: "SqliteDatabase") -> None:
        self._connection = connection
        self._database = database
        self._now: str | None = None
        self._actions: list[Callable[[], None]] = []
        self.kernel = database.kernel
        self.events: list[StoredEvent] = []

    @property
    def services(self) -> Services:
        return self.kernel.services

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

    def json_list(self, sql: str, params: Params = ()) -> JsonText:
        return JsonText(self._connection.execute(_AS_LIST.format(sql), params).fetchone()[0])

    def json(self, sql: str, params: Params = ()) -> JsonText | None:
        row = self._connection.execute(sql, params).fetchone()
        return None if row is None else JsonText(row[0].encode())

    def get(self, model: type[M], key: Any) -> M | None:
        row = self.one(f"SELECT * FROM {_table(model)} WHERE {_key(model)} = ?", (key,))
        if row is None:
            return None
        return model(**{name: row[name] for name in model.model_fields})

    def execute(self, sql: str, params: Params = ()) -> int:
        return self._connection.execute(sql, params).rowcount

    def insert(self, model: type[SQLModel], **values: Any) -> Any:
        cursor = self._connection.execute(_insert(model, tuple(values)), tuple(values.values()))
        return values.get(_key(model), cursor.lastrowid)

    def update(self, model: type[SQLModel], key: Any, **values: Any) -> int:
        if not values:
            return 0
        sql = _update(model, tuple(values))
        return self._connection.execute(sql, (*values.values(), key)).rowcount

    def delete(self, model: type[SQLModel], key: Any) -> int:
        sql = f"DELETE FROM {_table(model)} WHERE {_key(model)} = ?"
        return self._connection.execute(sql, (key,)).rowcount

    def emit(self, event: Event) -> int:
        values = {name: getattr(event, name) for name in _EVENT_FIELDS}
        payload = json.dumps(event.payload, ensure_ascii=False, separators=(",", ":"))
        given = values | {"payload": payload, "now": self.now}
        event_id, created_at = self._connection.execute(_INSERT_EVENT, given).fetchone()
        stored = StoredEvent(id=event_id, created_at=created_at, **values)
        self.events.append(stored)
        for react in self._database.reactions:
            react(tx=self, event=stored)
        return stored.id

    def after_commit(self, action: Callable[[], None]) -> None:
        self._actions.append(action)

    def run_actions(self) -> None:
        for action in self._actions:
            try:
                action()
            except Exception:
                log.exception("an action after a commit failed")


class SqliteDatabase:
    """One SQLite file. `commits` counts the writes of this process: it names the state of data."""

    def __init__(self, path: Path, kernel: Kernel) -> None:
        self.path = path
        self.commits = 0
        self.on_events: Callable[[Sequence[StoredEvent]], None] = lambda events: None
        self.reactions: Sequence[Callable[..., None]] = ()
        self.kernel = kernel
        self._turn = FairLock()
        self._readers: list[sqlite3.Connection] = []
        self._idle: list[sqlite3.Connection] = []
        self._write_pool = ThreadPoolExecutor(1, "kombuse-write")
        self._read_pool = ThreadPoolExecutor(4, "kombuse-read")
        _prepare(path)
        self.writer = connect(path, read_only=False)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        connection = self._reader()
        connection.execute("BEGIN")
        try:
            yield Transaction(connection, self)
        finally:
            connection.execute("ROLLBACK")
            self._idle.append(connection)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with self._turn:
            tx = Transaction(self.writer, self)
            changes = self.writer.total_changes
            self.writer.execute("BEGIN IMMEDIATE")
            try:
                yield tx
                self.writer.execute("COMMIT")
            except BaseException:
                if self.writer.in_transaction:
                    self.writer.execute("ROLLBACK")
                raise
            if self.writer.total_changes != changes:
                self.commits += 1
        tx.run_actions()
        if tx.events:
            self.on_events(tx.events)

    def read_async(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._read_pool, _in, self.read, work)

    def write_async(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(self._write_pool, _in, self.write, work)

    def close(self) -> None:
        """Wait for the running transactions, fold the log into the file, close everything."""
        self._write_pool.shutdown()
        self._read_pool.shutdown()
        with self._turn:
            for connection in self._readers:
                connection.close()
            try:
                self.writer.execute("PRAGMA optimize")
                self.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                log.info("the log of the database stays beside it: %s", error)
            self.writer.close()

    def _reader(self) -> sqlite3.Connection:
        """The connection that was used last, of those not in use: its cache is warm."""
        try:
            return self._idle.pop()
        except IndexError:
            connection = connect(self.path, read_only=True)
            self._readers.append(connection)
            return connection


def _in(
    begin: Callable[[], AbstractContextManager[Transaction]], work: Callable[[Transaction], T]
) -> T:
    with begin() as tx:
        return work(tx)


def _prepare(path: Path) -> None:
    """Make the file ours before SQLite opens it: readable by nobody else, and no planted link."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(path, flags, 0o600))


def _table(model: type[SQLModel]) -> str:
    return str(model.__tablename__)


@lru_cache(maxsize=256)
def _key(model: type[SQLModel]) -> str:
    columns = model.__table__.primary_key.columns  # type: ignore[attr-defined]
    return str(next(iter(columns)).name)


@lru_cache(maxsize=512)
def _insert(model: type[SQLModel], names: tuple[str, ...]) -> str:
    _check_columns(model, names)
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {_table(model)} ({', '.join(names)}) VALUES ({marks})"


@lru_cache(maxsize=512)
def _update(model: type[SQLModel], names: tuple[str, ...]) -> str:
    _check_columns(model, names)
    assignments = ", ".join(f"{name} = ?" for name in names)
    return f"UPDATE {_table(model)} SET {assignments} WHERE {_key(model)} = ?"


def _check_columns(model: type[SQLModel], names: Sequence[str]) -> None:
    unknown = set(names) - set(model.model_fields)
    if unknown:
        raise ValueError(f"{model.__name__} has no column {', '.join(sorted(unknown))}")
