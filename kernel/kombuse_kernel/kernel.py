"""The kernel object: what plugins see, and the order of start and stop."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from kombuse_kernel import migrations
from kombuse_kernel.config import Config
from kombuse_kernel.database import SqliteDatabase
from kombuse_kernel.events import Dispatcher
from kombuse_kernel.jobs import JobRunner
from kombuse_kernel.plugins import LoadedPlugin, PluginHost
from kombuse_kernel.services import ServiceRegistry
from kombuse_sdk.hooks import REGISTRATION_HOOKS
from kombuse_sdk.sql import Joins
from kombuse_sdk.types import PluginStatus

__all__ = ["RunningKernel"]

log = logging.getLogger("kombuse")
_JOIN_HOOKS = ("kombuse_columns", "kombuse_filters")
_COLLECTED = sorted(REGISTRATION_HOOKS - {*_JOIN_HOOKS, "kombuse_plugin", "kombuse_migrations"})
Check = Callable[[str, Any], None]


class RunningKernel:
    """Plugins loaded, database migrated, services provided; `start` sets the threads going.

    `checks` are functions by hook that raise when a plugin's value of that hook is unusable.
    """

    def __init__(self, config: Config, host: PluginHost, checks: Mapping[str, Check]) -> None:
        self.config = config
        self.host = host
        self.services = ServiceRegistry()
        self._joins: dict[str, Joins] = {}
        self._first: dict[str, Sequence[Callable[..., Any]]] = {}
        self._offers: dict[str, dict[str, list[Any]]] = {}
        self.db = SqliteDatabase(config.database_path, self)
        try:
            self._migrate()
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
                [value for _, values in self.host.call(hook, kind=kind) for value in values]
                for hook in _JOIN_HOOKS
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

    def start(self) -> None:
        for _ in self.host.call("kombuse_startup", kernel=self):
            pass
        self.dispatcher.start()
        self._jobs.start()

    def stop(self) -> None:
        self._jobs.stop()
        self.dispatcher.stop()
        try:
            for _ in self.host.call("kombuse_shutdown", kernel=self):
                pass
        except Exception:
            log.exception("a plugin failed to shut down")
        self.db.close()

    def _migrate(self) -> None:
        """A third-party plugin whose migrations do not fit is left out; another stops the start."""
        while True:
            wanted = migrations.collect("kernel", files("kombuse_kernel") / "sql")
            for item, folder in self.host.call("kombuse_migrations"):
                wanted += migrations.collect(item.info.name, folder)
            try:
                applied = migrations.migrate(self.db.writer, wanted, self.config.backups)
            except migrations.MigrationError as error:
                if not self.host.is_third_party(error.plugin):
                    raise
                self.host.drop(error.plugin, str(error))
                continue
            for migration in applied:
                log.info("applied migration %s/%s", migration.plugin, migration.name)
            return

    def _collect(self, checks: Mapping[str, Check]) -> None:
        """Ask every plugin once for all it offers; one that fails is left out with all of it."""
        for item in list(self.host.loaded):
            if item not in self.host.loaded:
                continue
            try:
                self._offers[item.info.name] = offered = self._ask(item)
                for hook, check in checks.items():
                    for value in offered.get(hook, ()):
                        check(item.info.name, value)
                for service in offered.get("kombuse_services", ()):
                    self.services.provide(item.info.name, service.protocol, service.provider)
            except Exception as error:
                self.services.withdraw(item.info.name)
                self.host.drop(item.info.name, f"{type(error).__name__}: {error}")

    def _ask(self, item: LoadedPlugin) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {}
        for hook in _COLLECTED:
            for _, value in self.host.call(hook, only=item, kernel=self):
                found[hook] = list(value) if _is_many(value) else [value]
        return found


def _is_many(value: Any) -> bool:
    return isinstance(value, Iterable) and not hasattr(value, "routes")
