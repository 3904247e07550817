"""MCP: the tools of all plugins for agents, at /mcp."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import EventType, Mount, PluginInfo, Setting, hookimpl

if TYPE_CHECKING:
    from kombuse_sdk.types import Kernel


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="mcp", title="MCP server", requires=("profiles",))


@hookimpl
def kombuse_settings() -> Iterable[Setting]:
    return [
        Setting(
            key="mcp.anonymous_write_access",
            default=None,
            description="`allowed` lets MCP clients that do not say who they are change things",
        )
    ]


@hookimpl
def kombuse_event_types() -> Iterable[EventType]:
    return [
        EventType(
            name="tool.denied",
            description="A tool was called by somebody who may not do what it does",
            payload=("tool", "reason", "session_id"),
        )
    ]


@hookimpl
def kombuse_mounts(kernel: "Kernel") -> Iterable[Mount]:
    from kombuse_plugins.mcp.endpoint import Endpoint

    return [Mount(path="/mcp", app=Endpoint(kernel))]
