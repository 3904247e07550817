"""Agents: who works on tickets by itself, with which prompt, configuration and permissions."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from kombuse_sdk import Command, Filter, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.mcp import Tool, ToolCall, ToolDecision
    from kombuse_sdk.packages import PackageSection
    from kombuse_sdk.storage import ReadTx
    from kombuse_sdk.types import Kernel


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="agents", title="Agents", requires=("profiles", "projects"))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.agents import service
    from kombuse_sdk.contracts import Agents

    return [Service(Agents, service)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.agents.routes import router

    return router


@hookimpl
def kombuse_mcp_tools() -> "Iterable[Tool]":
    from kombuse_plugins.agents.mcp_tools import TOOLS

    return TOOLS


@hookimpl
def kombuse_package_sections(kernel: "Kernel") -> "Iterable[PackageSection[Any]]":
    from kombuse_plugins.agents.package_section import AgentSection

    return [AgentSection(kernel)]


@hookimpl
def kombuse_filters(kind: str) -> Iterable[Filter]:
    from kombuse_plugins.agents import queries

    return queries.FILTERS if kind == "profile" else ()


@hookimpl
def kombuse_tool_decision(tx: "ReadTx", call: "ToolCall") -> "ToolDecision | None":
    from kombuse_plugins.agents import callers

    return callers.decide(tx, call)


@hookimpl
def kombuse_commands() -> Iterable[Command]:
    target = "kombuse_plugins.agents.cli:app"
    return [Command(name="agent", target=target, help="Agents, and runs of them.")]
