"""What a plugin offers: its registration hooks asked once, and every value checked."""

from collections.abc import Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any

from kombuse_kernel.plugins import LoadedPlugin, PluginHost
from kombuse_sdk.hooks import KINDS
from kombuse_sdk.mcp import Tool
from kombuse_sdk.sockets import SocketMessage
from kombuse_sdk.types import (
    Column,
    Command,
    EventType,
    Filter,
    Job,
    Mount,
    Service,
    Setting,
    Subscriber,
)

__all__ = ["Offers", "ask", "refuse_duplicates"]

Offers = dict[str, list[Any]]
"""The values of one plugin by hook; by `hook:kind` for hooks that are asked once per kind."""

_VALUES: dict[str, tuple[type, str]] = {
    "kombuse_services": (Service, "protocol"),
    "kombuse_mounts": (Mount, "path"),
    "kombuse_mcp_tools": (Tool, "name"),
    "kombuse_socket_messages": (SocketMessage, "name"),
    "kombuse_agent_backends": (object, "name"),
    "kombuse_event_types": (EventType, "name"),
    "kombuse_subscribers": (Subscriber, "name"),
    "kombuse_jobs": (Job, "name"),
    "kombuse_settings": (Setting, "key"),
    "kombuse_commands": (Command, "name"),
    "kombuse_package_sections": (object, "name"),
    "kombuse_feeds": (object, "id"),
}
_VALUES_BY_KIND: dict[str, tuple[type, str]] = {
    "kombuse_columns": (Column, "name"),
    "kombuse_filters": (Filter, "param"),
}


_KEYS = {hook: attrgetter(key) for hook, (_, key) in (_VALUES | _VALUES_BY_KIND).items()}


def ask(host: PluginHost, item: LoadedPlugin, kernel: Any) -> Offers:
    """TypeError when a hook returns something else than its specification says."""
    found: Offers = {}
    for hook, (kind, _) in _VALUES.items():
        for _, values in host.call(hook, only=item, kernel=kernel):
            found[hook] = list(_checked(hook, values, kind))
    for hook, (kind, _) in _VALUES_BY_KIND.items():
        for resource in KINDS:
            for _, values in host.call(hook, only=item, kind=resource):
                found[f"{hook}:{resource}"] = list(_checked(hook, values, kind))
    for hook in ("kombuse_routes", "kombuse_package"):
        for _, value in host.call(hook, only=item, kernel=kernel):
            found[hook] = [value]
    return found


def refuse_duplicates(name: str, offered: Offers, others: Mapping[str, Offers]) -> None:
    """ValueError when a value's name is taken, by the plugin itself or by one loaded before."""
    for hook, values in offered.items():
        key = _KEYS.get(hook.partition(":")[0])
        if key is None:
            continue
        taken = {
            key(value): owner for owner, other in others.items() for value in other.get(hook, ())
        }
        for value in values:
            if key(value) in taken:
                shown = getattr(key(value), "__name__", key(value))
                raise ValueError(f"{hook}: {shown} is offered by {taken[key(value)]} already")
            taken[key(value)] = name


def _checked(hook: str, values: Any, kind: type) -> Iterator[Any]:
    if not isinstance(values, Iterable):
        raise TypeError(f"{hook} must return {kind.__name__} values, not {_name(values)}")
    for value in values:
        if not isinstance(value, kind):
            raise TypeError(f"{hook} must return {kind.__name__} values, not {_name(value)}")
        yield value


def _name(value: object) -> str:
    return type(value).__name__
