"""The plugin host: finds plugins, orders them by `requires`, and leaves broken ones out.

Built-ins and third-party distributions (entry points of group `kombuse`) load the same way. Pluggy
holds the specifications and checks each implementation against them; the host walks the
implementations itself, in load order, so that every returned value keeps its owner.
"""

import importlib
import logging
import pkgutil
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import importlib_metadata
import pluggy

from kombuse_kernel.config import Config as KernelConfig
from kombuse_sdk import hooks
from kombuse_sdk.types import Config, PluginInfo, PluginSource, PluginStatus

__all__ = ["LoadedPlugin", "PluginHost", "find_plugins"]

log = logging.getLogger("kombuse.plugins")
BUILT_IN = "built-in"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    info: PluginInfo
    origin: str
    plugin: object


def builtin_sources() -> Iterator[PluginSource]:
    package = importlib.import_module("kombuse_plugins")
    for module in pkgutil.iter_modules(package.__path__):
        load = partial(importlib.import_module, f"kombuse_plugins.{module.name}")
        yield PluginSource(module.name, BUILT_IN, load)


def installed_sources() -> Iterator[PluginSource]:
    for point in importlib_metadata.entry_points(group="kombuse"):
        origin = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        yield PluginSource(point.name, origin, point.load)


def find_plugins(config: KernelConfig, extra: Iterable[PluginSource] = ()) -> "PluginHost":
    """The built-in plugins, those of installed distributions, and `extra` ones."""
    sources = [*builtin_sources(), *installed_sources(), *extra]
    return PluginHost(sources, config.disabled_plugins, config)


class PluginHost:
    """Loaded plugins in the order of their requirements, and what became of the others."""

    def __init__(
        self,
        sources: Iterable[PluginSource],
        disabled: Iterable[str] = (),
        config: Config | None = None,
    ) -> None:
        """With a `config`, the plugins that other plugins keep are loaded too."""
        self._disabled = frozenset(disabled)
        self._manager = _manager()
        self._probe: pluggy.PluginManager | None = None
        self.loaded: list[LoadedPlugin] = []
        self.left_out: list[PluginStatus] = []
        found: dict[str, LoadedPlugin] = {}
        for source in sources:
            self._find(source, found)
        for item in list(found.values()) if config else ():
            for source in _kept_by(item, config):
                self._find(source, found)
        self._order(found)

    @property
    def statuses(self) -> tuple[PluginStatus, ...]:
        loaded = [_status(item.info, item.origin, "loaded") for item in self.loaded]
        return (*loaded, *self.left_out)

    def has(self, name: str) -> bool:
        return any(item.info.name == name for item in self.loaded)

    def is_third_party(self, name: str) -> bool:
        return any(item.info.name == name and item.origin != BUILT_IN for item in self.loaded)

    def call(
        self, hook: str, only: LoadedPlugin | None = None, **arguments: Any
    ) -> Iterator[tuple[LoadedPlugin, Any]]:
        """What each plugin's implementation returns, in load order. Exceptions pass through."""
        by_plugin = {
            id(implementation.plugin): implementation
            for implementation in getattr(self._manager.hook, hook).get_hookimpls()
        }
        for item in [only] if only else list(self.loaded):
            implementation = by_plugin.get(id(item.plugin))
            if implementation is not None:
                wanted = {name: arguments[name] for name in implementation.argnames}
                yield item, implementation.function(**wanted)

    def behaviours(self, hook: str) -> list[Callable[..., Any]]:
        """Each plugin's implementation, in load order, called with keyword arguments."""
        return [
            _accepting(implementation)
            for item in self.loaded
            for implementation in getattr(self._manager.hook, hook).get_hookimpls()
            if implementation.plugin is item.plugin
        ]

    def drop(self, name: str, reason: str) -> None:
        """Leave out a plugin, and those that require it, after it failed a later step of start."""
        for item in [item for item in self.loaded if item.info.name == name]:
            self.loaded.remove(item)
            self._manager.unregister(item.plugin)
            log.warning("plugin %s is left out: %s", name, reason)
            self._leave_out(item.info, item.origin, "failed", reason)
            for other in [other for other in self.loaded if name in other.info.requires]:
                self.drop(other.info.name, f"requires {name}, which failed")

    def _find(self, source: PluginSource, found: dict[str, LoadedPlugin]) -> None:
        unknown = PluginInfo(name=source.name, title=source.name)
        if source.name in self._disabled:
            self._leave_out(unknown, source.origin, "disabled", "named in disabled_plugins")
            return
        try:
            plugin = source.load()
            info = self._identify(plugin)
            if info.name in self._disabled:
                self._leave_out(info, source.origin, "disabled", "named in disabled_plugins")
            elif info.name in found:
                raise ValueError(f"the name {info.name} is taken by {found[info.name].origin}")
            else:
                self._check_hooks(plugin)
                found[info.name] = LoadedPlugin(info, source.origin, plugin)
        except (Exception, SystemExit) as error:
            log.warning("plugin %s is left out: %s", source.name, error)
            self._leave_out(unknown, source.origin, "failed", f"{type(error).__name__}: {error}")

    def _identify(self, plugin: Any) -> PluginInfo:
        identify = getattr(plugin, "kombuse_plugin", None)
        if identify is None:
            raise TypeError("it has no kombuse_plugin hook")
        info = identify()
        if not isinstance(info, PluginInfo):
            raise TypeError("kombuse_plugin must return a PluginInfo")
        if not _NAME.fullmatch(info.name):
            raise ValueError(f"{info.name!r} is no plugin name: use a-z, 0-9, - and _")
        return info

    def _check_hooks(self, plugin: Any) -> None:
        """Refuse misspelt hooks, wrong arguments and ordering options, which would break order."""
        probe, self._probe = self._probe or _manager(), None  # one that refused is of no more use
        probe.register(plugin)
        probe.check_pending()
        for caller in probe.get_hookcallers(plugin) or ():
            options = [(item.tryfirst, item.trylast) for item in caller.get_hookimpls()]
            if caller.name in hooks.REGISTRATION_HOOKS and any(map(any, options)):
                raise ValueError(f"{caller.name} may not use tryfirst or trylast")
        probe.unregister(plugin)
        self._probe = probe

    def _order(self, found: dict[str, LoadedPlugin]) -> None:
        """Depth first in source order; a missing or circular requirement leaves a plugin out."""
        state: dict[str, bool] = {}

        def visit(name: str, path: tuple[str, ...]) -> bool:
            if name in state:
                return state[name]
            item = found[name]
            state[name] = False
            problem = next((need for need in item.info.requires if need not in found), None)
            reason = f"requires {problem}, which is not there" if problem else None
            for need in () if reason else item.info.requires:
                if need in (*path, name):
                    reason = f"requires {need}, which requires it"
                elif not visit(need, (*path, name)):
                    reason = f"requires {need}, which is left out"
            if reason:
                log.warning("plugin %s is left out: %s", name, reason)
                self._leave_out(item.info, item.origin, "failed", reason)
                return False
            self._manager.register(item.plugin, name=name)
            self.loaded.append(item)
            state[name] = True
            return True

        for name in found:
            visit(name, ())

    def _leave_out(self, info: PluginInfo, origin: str, state: Any, reason: str) -> None:
        self.left_out.append(_status(info, origin, state, reason))


def _manager() -> pluggy.PluginManager:
    manager = pluggy.PluginManager("kombuse")
    manager.add_hookspecs(hooks)
    return manager


def _kept_by(item: LoadedPlugin, config: Config | None) -> list[PluginSource]:
    """The further plugins that a plugin keeps; none when it cannot say."""
    ask = getattr(item.plugin, "kombuse_plugin_sources", None)
    try:
        return list(ask(config)) if ask else []
    except Exception:
        log.exception("the plugins that %s keeps are left out", item.info.name)
        return []


def _status(info: PluginInfo, origin: str, state: Any, reason: str | None = None) -> PluginStatus:
    return PluginStatus(
        name=info.name,
        title=info.title,
        source=origin,
        state=state,
        requires=info.requires,
        reason=reason,
    )


def _accepting(implementation: pluggy.HookImpl) -> Callable[..., Any]:
    """An implementation may leave out arguments of its hook that it does not need."""
    names = implementation.argnames
    return lambda **arguments: implementation.function(**{name: arguments[name] for name in names})
