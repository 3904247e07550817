"""What registration hooks return: plain frozen values, so that each keeps its owner."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import TypeForm

    from kombuse_sdk.access import Access
    from kombuse_sdk.events import StoredEvent
    from kombuse_sdk.sql import Joins
    from kombuse_sdk.storage import Database, ReadTx, WriteTx

__all__ = [
    "Asgi",
    "Column",
    "Command",
    "Config",
    "EventType",
    "Filter",
    "Job",
    "Kernel",
    "Mount",
    "PluginInfo",
    "PluginSource",
    "PluginStatus",
    "Service",
    "Services",
    "Setting",
    "Subscriber",
]

T = TypeVar("T")
Asgi = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """Who a plugin is. `requires` names plugins that must be loaded before it."""

    name: str
    title: str
    requires: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PluginSource:
    """A place where a plugin may be: `load` imports it, which may fail.

    `origin` is shown to people: a distribution with its version, or an installed package.
    """

    name: str
    origin: str
    load: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Service(Generic[T]):
    """The one provider of a contract protocol; a module with fitting functions will do."""

    protocol: "TypeForm[T]"
    provider: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A field that a plugin adds to another plugin's resource, inside its one statement.

    `sql` is an expression over the resource's table alias that yields JSON text (never NULL: use
    `'null'`); `type` is its Python type for the response schema. A column with a `param` is only
    selected, and only present in the answer, when that query parameter is given; `sql` may then
    refer to the value as `:param`.
    """

    name: str
    sql: str
    type: Any
    param: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """A query parameter that a plugin adds to another plugin's list.

    `type` is a pydantic type for the raw text; `sql` is a condition over the resource's alias that
    refers to the value as `:param`. `convert` may turn the parsed value into what SQL is given.

    A condition that no index answers costs a look at every row when few of many rows pass. For that
    case `seek` is the same condition in a form that finds the rows by an index, used when there are
    few: `at_most` is an SQL expression for an upper bound of their number, known without counting.
    """

    param: str
    type: Any
    sql: str
    description: str = ""
    convert: Callable[[Any], Any] | None = None
    seek: str | None = None
    at_most: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """An event that a plugin emits; `payload` names the keys of its payload."""

    name: str
    description: str
    payload: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """Follows the event log durably: each event exactly once, in order, after its commit.

    `handle` runs in the transaction that also stores the subscriber's position, so what it writes
    and what it has seen can never differ. `event_types` empty means all; `concerns` tells, on a
    reader and cheaply, events that cannot matter, so that they cost no transaction; it must not
    raise. A subscriber that is new
    to a database starts with the next event (`start="now"`) or with the whole log.
    """

    name: str
    handle: "Callable[[WriteTx, StoredEvent], None]"
    event_types: frozenset[str] = frozenset()
    concerns: "Callable[[ReadTx, StoredEvent], bool] | None" = None
    start: Literal["now", "beginning"] = "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work done every `every` seconds in a thread of its own; a failure is logged, not fatal."""

    name: str
    every: float
    run: "Callable[[Kernel], None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A profile setting that the plugin reads; `default` applies when it is unset."""

    key: str
    default: str | None
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """An ASGI application at exactly one path, for every method.

    `lifespan` is entered after the start of the kernel and left before its end. `server_settings`
    are settings of uvicorn that the application needs (how WebSockets are spoken, say): the server
    has one set of them, so that they hold for all mounts.
    """

    path: str
    app: Asgi
    lifespan: "Callable[[], AbstractAsyncContextManager[None]] | None" = None
    server_settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command-line group, named by import path (`package.module:app`) so that it loads late."""

    name: str
    target: str
    help: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """What became of a plugin at start."""

    name: str
    title: str
    source: str
    state: Literal["loaded", "disabled", "failed"]
    requires: tuple[str, ...] = ()
    reason: str | None = None


class Services(Protocol):
    def get(self, protocol: "TypeForm[T]") -> T:
        """The provider of a contract; LookupError when no plugin provides it."""
        ...

    def find(self, protocol: "TypeForm[T]") -> T | None:
        """The provider of a contract, or None when the plugin is absent."""
        ...


class Config(Protocol):
    """Resolved once at start, never changed."""

    @property
    def home(self) -> "Path": ...
    @property
    def database_path(self) -> "Path": ...
    @property
    def uploads(self) -> "Path": ...
    @property
    def port(self) -> int: ...
    @property
    def values(self) -> "dict[str, Any]":
        """What `config.json` holds, unchecked."""
        ...


class Kernel(Protocol):
    """What a plugin sees of the kernel."""

    @property
    def config(self) -> Config: ...
    @property
    def db(self) -> "Database": ...
    @property
    def services(self) -> Services: ...
    @property
    def access(self) -> "Access":
        """The tokens that requests need, if they need any."""
        ...

    @property
    def plugins(self) -> tuple[PluginStatus, ...]: ...

    def joins(self, kind: str) -> "Joins":
        """The columns and filters that plugins contributed to a resource."""
        ...

    def offers(self, hook: str) -> list[tuple[str, Any]]:
        """(plugin name, value) of every value that a registration hook returned, in load order."""
        ...

    def first(self, hook: str, **arguments: Any) -> Any:
        """The first result of a `firstresult` behaviour hook that is not None."""
        ...

    def endpoints(self) -> list[tuple[str, str]]:
        """(method, path) of every route of the API in load order; parameters as `:name`."""
        ...

    @property
    def app(self) -> Asgi:
        """This server as an ASGI application, to make requests of it without the network."""
        ...
