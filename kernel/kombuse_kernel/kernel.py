"""The kernel object: what plugins see, and the order of start and stop."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from kombuse_kernel import migrations
from kombuse_kernel.config import Config
from kombuse_kernel.database import SqliteDatabase
from kombuse_kernel.events import Dispatcher
from kombuse_kernel.jobs import JobRunner
from kombuse_kernel.offers import Offers, ask, refuse_duplicates
from kombuse_kernel.plugins import LoadedPlugin, PluginHost
from kombuse_kernel.services import ServiceRegistry
from kombuse_kernel.upgrade import fitting
from kombuse_sdk.access import open_access
from kombuse_sdk.errors import Unavailable
from kombuse_sdk.sql import Joins
from kombuse_sdk.types import PluginStatus

__all__ = ["Check", "RunningKernel"]

log = logging.getLogger("kombuse")
_PARAMETER = re.compile(r"\{(\w+)[^}]*\}")
Check = Callable[[str, Any], None]


class Api(Protocol):
    """What the kernel needs of the HTTP application, which is made after it."""

    @property
    def paths(self) -> list[tuple[str, str]]: ...
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class RunningKernel:
    """Plugins loaded, database migrated, services provided; `start` sets the threads going.

    `checks` are functions by hook that raise when a plugin's value of that hook is unusable.
    """

    def __init__(self, config: Config, host: PluginHost, checks: Mapping[str, Check]) -> None:
        self.config = config
        self.api: Api | None = None
        self.host = host
        self.services = ServiceRegistry()
        self.access = open_access(config)
        self._joins: dict[str, Joins] = {}
        self._first: dict[str, Sequence[Callable[..., Any]]] = {}
        self._offers: dict[str, Offers] = {}
        self._started: list[LoadedPlugin] = []
        fitting(host, lambda wanted: migrations.check_file(config.database_path, wanted))
        self.db = SqliteDatabase(config.database_path, self)
        try:
            self.migrated = fitting(host, self._migrate)
        except BaseException:
            self.db.close()
            raise
        self._collect(checks)
        self.db.reactions = host.behaviours("kombuse_event")
        subscribers = [value for _, value in self.offers("kombuse_subscribers")]
        self.dispatcher = Dispatcher(self.db, subscribers)
        self._jobs = JobRunner([job for _, job in self.offers("kombuse_jobs")], self)

    @property
    def plugins(self) -> tuple[PluginStatus, ...]:
        return self.host.statuses

    def joins(self, kind: str) -> Joins:
        if kind not in self._joins:
            columns, filters = (
                [value for _, value in self.offers(f"{hook}:{kind}")]
                for hook in ("kombuse_columns", "kombuse_filters")
            )
            self._joins[kind] = Joins(kind, columns, filters)
        return self._joins[kind]

    def offers(self, hook: str) -> list[tuple[str, Any]]:
        return [
            (item.info.name, value)
            for item in self.host.loaded
            for value in self._offers[item.info.name].get(hook, ())
        ]

    def first(self, hook: str, **arguments: Any) -> Any:
        if hook not in self._first:
            self._first[hook] = self.host.behaviours(hook)
        for implementation in self._first[hook]:
            result = implementation(**arguments)
            if result is not None:
                return result
        return None

    def endpoints(self) -> list[tuple[str, str]]:
        paths = self.api.paths if self.api else []
        return [(method, _PARAMETER.sub(r":\1", path)) for method, path in paths]

    @property
    def app(self) -> Api:
        if self.api is None:
            raise Unavailable("The server does not answer requests yet")
        return self.api

    def start(self) -> None:
        for item in list(self.host.loaded):
            try:
                for _ in self.host.call("kombuse_startup", only=item, kernel=self):
                    pass
            except Exception:
                log.error("plugin %s cannot start", item.info.name)
                raise
            self._started.append(item)
        self.dispatcher.start()
        self._jobs.start()

    def stop(self) -> None:
        self._jobs.stop()
        self.dispatcher.stop()
        while self._started:
            item = self._started.pop()
            try:
                for _ in self.host.call("kombuse_shutdown", only=item, kernel=self):
                    pass
            except Exception:
                log.exception("plugin %s failed to shut down", item.info.name)
        self.db.close()

    def _migrate(self, wanted: list[migrations.Migration]) -> list[migrations.Migration]:
        applied = migrations.migrate(self.db.writer, wanted, self.config.backups)
        for migration in applied:
            log.info("applied migration %s/%s", migration.plugin, migration.name)
        return applied

    def _collect(self, checks: Mapping[str, Check]) -> None:
        """Ask every plugin once for all it offers; one that fails is left out with all of it."""
        for item in list(self.host.loaded):
            name = item.info.name
            if not self.host.has(name):
                continue
            try:
                offered = ask(self.host, item, self)
                refuse_duplicates(name, offered, self._offers)
                for service in offered.get("kombuse_services", ()):
                    self.services.provide(name, service.protocol, service.provider)
                for hook, check in checks.items():
                    for value in offered.get(hook, ()):
                        check(name, value)
                self._offers[name] = offered
            except Exception as error:
                self.services.withdraw(name)
                self.host.drop(name, f"{type(error).__name__}: {error}")
