"""API tools: agents find and read whatever the HTTP API offers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import PluginInfo, hookimpl

if TYPE_CHECKING:
    from kombuse_sdk.mcp import Tool


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="api_tools", title="API tools", requires=("mcp",))


@hookimpl
def kombuse_mcp_tools() -> "Iterable[Tool]":
    from kombuse_plugins.api_tools.mcp_tools import TOOLS

    return TOOLS
