"""Projects: the scope of tickets, labels and agents, and the folder that a project may have."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import Command, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.mcp import Tool


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="projects", title="Projects", requires=("profiles",))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.projects import service
    from kombuse_sdk.contracts import Projects

    return [Service(Projects, service)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.projects.routes import router

    return router


@hookimpl
def kombuse_mcp_tools() -> Iterable["Tool"]:
    from kombuse_plugins.projects.mcp_tools import TOOLS

    return TOOLS


@hookimpl
def kombuse_commands() -> Iterable[Command]:
    target = "kombuse_plugins.projects.cli:app"
    return [Command(name="project", target=target, help="Projects, and which one is meant.")]
