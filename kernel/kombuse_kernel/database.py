"""The transactions that plugins see, over the one SQLite file."""

import json
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sqlmodel import SQLModel

from kombuse_sdk.events import Event, StoredEvent
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.sql import JsonText
from kombuse_sdk.sqlite_file import SqliteFile
from kombuse_sdk.storage import Params
from kombuse_sdk.types import Kernel, Services

__all__ = ["SqliteDatabase", "Transaction"]

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
    """One SQLite file. Raises sqlite3.Error or OSError when it cannot be used."""

    def __init__(self, path: Path, kernel: Kernel) -> None:
        self.path = path
        self.on_events: Callable[[Sequence[StoredEvent]], None] = lambda events: None
        self.reactions: Sequence[Callable[..., None]] = ()
        self.kernel = kernel
        self._file = SqliteFile(path, "kombuse")
        self.writer = self._file.writer
        self.close = self._file.close

    @property
    def commits(self) -> int:
        """How many writes of this process changed anything: the name of a state of the data."""
        return self._file.commits

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self._file.reading() as connection:
            yield Transaction(connection, self)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        with self._file.writing() as connection:
            tx = Transaction(connection, self)
            yield tx
        tx.run_actions()
        if tx.events:
            self.on_events(tx.events)

    def read_async(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        return self._file.in_reader(self.read, work)

    def write_async(self, work: Callable[[Transaction], T]) -> Awaitable[T]:
        return self._file.in_writer(self.write, work)


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
