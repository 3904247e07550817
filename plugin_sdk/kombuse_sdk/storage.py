"""Transactions: what services, routes, tools, subscribers and jobs are given to work with."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from kombuse_sdk.events import Event

if TYPE_CHECKING:
    from sqlmodel import SQLModel

    from kombuse_sdk.sql import JsonText
    from kombuse_sdk.types import Kernel, Services

__all__ = ["Database", "Params", "ReadTx", "Row", "WriteTx"]

T = TypeVar("T")
M = TypeVar("M", bound="SQLModel")
Params = Sequence[Any] | Mapping[str, Any]
Row = Mapping[str, Any]


class ReadTx(Protocol):
    """One consistent view of the database. Writing through it fails."""

    @property
    def kernel(self) -> "Kernel": ...
    @property
    def services(self) -> "Services": ...
    @property
    def now(self) -> str:
        """The time of this transaction: ISO 8601 UTC, milliseconds, `Z`."""
        ...

    def all(self, sql: str, params: Params = ()) -> list[Row]: ...
    def one(self, sql: str, params: Params = ()) -> Row | None: ...
    def value(self, sql: str, params: Params = ()) -> Any:
        """The first column of the first row, or None."""
        ...

    def values(self, sql: str, params: Params = ()) -> list[Any]:
        """The first column of every row."""
        ...

    def json_list(self, sql: str, params: Params = ()) -> "JsonText":
        """A JSON array of the first column of every row, each of which is JSON text."""
        ...

    def json(self, sql: str, params: Params = ()) -> "JsonText | None":
        """The first column of the first row, which is JSON text."""
        ...

    def get(self, model: type[M], key: Any) -> M | None:
        """One row by primary key, as an instance of its table class."""
        ...


class WriteTx(ReadTx, Protocol):
    """The one write transaction at a time: everything in it commits together or not at all."""

    def execute(self, sql: str, params: Params = ()) -> int:
        """Run one statement; the number of rows it changed."""
        ...

    def insert(self, model: "type[SQLModel]", **values: Any) -> Any:
        """Insert one row; its primary key (made by the database for integer keys)."""
        ...

    def update(self, model: "type[SQLModel]", key: Any, **values: Any) -> int:
        """Set columns of the row with this primary key; the number of rows changed (0 or 1)."""
        ...

    def delete(self, model: "type[SQLModel]", key: Any) -> int:
        """Delete the row with this primary key; the number of rows deleted (0 or 1)."""
        ...

    def emit(self, event: Event) -> int:
        """Store an event in this transaction; its id. Subscribers see it after the commit."""
        ...

    def after_commit(self, action: Callable[[], None]) -> None:
        """Run something that may be lost in a crash (waking, deleting files) after the commit."""
        ...


class Database(Protocol):
    """One SQLite file: many readers, one fair queue of writers."""

    def read(self) -> AbstractContextManager[ReadTx]: ...
    def write(self) -> AbstractContextManager[WriteTx]:
        """Wait for the turn, run, commit; roll back on any exception."""
        ...

    def read_async(self, work: Callable[[ReadTx], T]) -> Awaitable[T]:
        """Run a read that may be slow in a worker thread."""
        ...

    def write_async(self, work: Callable[[WriteTx], T]) -> Awaitable[T]:
        """Run a write in the writer's thread."""
        ...
