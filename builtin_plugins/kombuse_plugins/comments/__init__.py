"""Comments on tickets, in threads, and the profiles and tickets that they mention."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import EventType, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.mcp import Tool


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="comments", title="Comments", requires=("tickets",))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.comments import service
    from kombuse_sdk.contracts import Comments

    return [Service(Comments, service)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.comments.routes import router

    return router


@hookimpl
def kombuse_mcp_tools() -> Iterable["Tool"]:
    from kombuse_plugins.comments.mcp_tools import TOOLS

    return TOOLS


@hookimpl
def kombuse_event_types() -> Iterable[EventType]:
    from kombuse_plugins.comments.notices import EVENT_TYPES

    return EVENT_TYPES
