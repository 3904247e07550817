"""Tickets: the unit of work, with claims, views and full-text search."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import Column, Command, EventType, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.mcp import Tool


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="tickets", title="Tickets", requires=("profiles", "projects"))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.tickets import service
    from kombuse_sdk.contracts import Tickets

    return [Service(Tickets, service)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.tickets.routes import router

    return router


@hookimpl
def kombuse_mcp_tools() -> "Iterable[Tool]":
    from kombuse_plugins.tickets.mcp_tools import TOOLS

    return TOOLS


@hookimpl
def kombuse_event_types() -> Iterable[EventType]:
    from kombuse_plugins.tickets.events import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def kombuse_columns(kind: str) -> Iterable[Column]:
    from kombuse_plugins.tickets import views

    return [views.HAS_UNREAD] if kind == "ticket" else []


@hookimpl
def kombuse_commands() -> Iterable[Command]:
    target = "kombuse_plugins.tickets.cli:app"
    return [Command(name="ticket", target=target, help="Daily work on tickets.")]
