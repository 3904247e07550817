"""Every hook a plugin may implement.

Registration hooks run once at start and return values; behaviour hooks run while work is done.
All are optional but `kombuse_plugin`. A plugin module must be inert: import what costs time
(routes, models) inside the hook, not at the top, for the command line imports every plugin.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from fastapi import APIRouter

    from kombuse_sdk.agents import AgentBackend
    from kombuse_sdk.events import StoredEvent
    from kombuse_sdk.feeds import Feed
    from kombuse_sdk.mcp import Tool, ToolCall, ToolDecision
    from kombuse_sdk.packages import PackageSection
    from kombuse_sdk.sockets import SocketMessage
    from kombuse_sdk.storage import ReadTx, WriteTx
    from kombuse_sdk.types import (
        Column,
        Command,
        Config,
        EventType,
        Filter,
        Job,
        Kernel,
        Mount,
        PluginInfo,
        PluginSource,
        Service,
        Setting,
        Subscriber,
    )
    from kombuse_sdk.updates import Kind, Updater

__all__ = ["BEHAVIOUR_HOOKS", "KINDS", "REGISTRATION_HOOKS", "hookimpl", "hookspec"]

KINDS = ("ticket", "comment", "event", "profile")

hookspec = pluggy.HookspecMarker("kombuse")
hookimpl = pluggy.HookimplMarker("kombuse")


@hookspec
def kombuse_plugin() -> "PluginInfo":  # type: ignore[empty-body]
    """Name, title and requirements. The only hook that every plugin must implement."""


@hookspec
def kombuse_migrations() -> "Traversable":  # type: ignore[empty-body]
    """The folder of numbered SQL files (`0001_what.sql`) that make the plugin's tables."""


@hookspec
def kombuse_services(kernel: "Kernel") -> Iterable["Service[object]"]:  # type: ignore[empty-body]
    """Contracts of `kombuse_sdk.contracts` (or the plugin's own protocols) that it provides."""


@hookspec
def kombuse_routes(kernel: "Kernel") -> "APIRouter":  # type: ignore[empty-body]
    """Routes, mounted below /api. Each needs a `response_model` or a status without a body."""


@hookspec
def kombuse_mounts(kernel: "Kernel") -> Iterable["Mount"]:  # type: ignore[empty-body]
    """ASGI applications outside /api, behind the same guards."""


@hookspec
def kombuse_mcp_tools(kernel: "Kernel") -> Iterable["Tool"]:  # type: ignore[empty-body]
    """Tools that agents call at /mcp."""


@hookspec
def kombuse_socket_messages(kernel: "Kernel") -> Iterable["SocketMessage"]:  # type: ignore[empty-body]
    """Messages of clients at /ws that the plugin serves."""


@hookspec
def kombuse_agent_backends(kernel: "Kernel") -> Iterable["AgentBackend"]:  # type: ignore[empty-body]
    """Kinds of agents that the plugin can run."""


@hookspec
def kombuse_event_types() -> Iterable["EventType"]:  # type: ignore[empty-body]
    """Events that the plugin emits."""


@hookspec
def kombuse_subscribers(kernel: "Kernel") -> Iterable["Subscriber"]:  # type: ignore[empty-body]
    """Durable followers of the event log."""


@hookspec
def kombuse_jobs() -> Iterable["Job"]:  # type: ignore[empty-body]
    """Periodic work."""


@hookspec
def kombuse_settings() -> Iterable["Setting"]:  # type: ignore[empty-body]
    """Profile settings that the plugin reads."""


@hookspec
def kombuse_commands() -> Iterable["Command"]:  # type: ignore[empty-body]
    """Command-line groups, by import path."""


@hookspec
def kombuse_package_sections(kernel: "Kernel") -> Iterable["PackageSection[Any]"]:  # type: ignore[empty-body]
    """Kinds of content that packages bring: how each is read, installed, removed and exported."""


@hookspec
def kombuse_package() -> "Traversable":  # type: ignore[empty-body]
    """The folder of a declarative package (`.kombuse-plugin/plugin.json`) inside the plugin.

    It is offered for installation into projects, like the packages of a feed.
    """


@hookspec
def kombuse_feeds(kernel: "Kernel") -> Iterable["Feed"]:  # type: ignore[empty-body]
    """Further places that packages come from."""


@hookspec
def kombuse_plugin_sources(config: "Config") -> Iterable["PluginSource"]:  # type: ignore[empty-body]
    """Further plugins to load, by a plugin that keeps them: asked before anything is started."""


@hookspec
def kombuse_columns(kind: str) -> Iterable["Column"]:  # type: ignore[empty-body]
    """Fields that the plugin adds to another plugin's resource; called once per kind at start.

    Kinds and their aliases: `ticket` (t), `comment` (c), `event` (e), `profile` (p).
    """


@hookspec
def kombuse_filters(kind: str) -> Iterable["Filter"]:  # type: ignore[empty-body]
    """Query parameters that the plugin adds to another plugin's list; same kinds as columns."""


@hookspec
def kombuse_startup(kernel: "Kernel") -> None:
    """After all migrations, before the first request. An exception stops the server's start."""


@hookspec
def kombuse_shutdown(kernel: "Kernel") -> None:
    """After the last request."""


@hookspec
def kombuse_event(tx: "WriteTx", event: "StoredEvent") -> None:
    """React inside the transaction that emitted the event; raise to refuse the whole change."""


@hookspec(firstresult=True)
def kombuse_tool_decision(tx: "ReadTx", call: "ToolCall") -> "ToolDecision | None":
    """Who makes this tool call and whether they may; None leaves it to the next plugin."""


@hookspec(firstresult=True)
def kombuse_updater(kernel: "Kernel", kind: "Kind") -> "Updater | None":
    """What updates the application (`app`) or the command line (`shell`); asked once for each."""


BEHAVIOUR_HOOKS = frozenset({"kombuse_event", "kombuse_tool_decision", "kombuse_updater"})
REGISTRATION_HOOKS = (
    frozenset(
        name
        for name, value in list(globals().items())
        if name.startswith("kombuse_") and hasattr(value, "kombuse_spec")
    )
    - BEHAVIOUR_HOOKS
    - {"kombuse_startup", "kombuse_shutdown"}
)
