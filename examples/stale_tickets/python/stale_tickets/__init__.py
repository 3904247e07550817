"""Stale tickets: open ones that nobody touched for two weeks are marked until somebody does."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import Column, EventType, Filter, Job, PluginInfo, Subscriber, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.mcp import Tool

_MARK = "SELECT 1 FROM stale_tickets s WHERE s.ticket_id = t.id"


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="stale-tickets", title="Stale tickets", requires=("tickets",))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_event_types() -> Iterable[EventType]:
    return [EventType(name="ticket.stale", description="Nobody touched an open ticket for long")]


@hookimpl
def kombuse_jobs() -> Iterable[Job]:
    from stale_tickets.marks import mark_job

    return [Job(name="stale-tickets.mark", every=3600, run=mark_job)]


@hookimpl
def kombuse_subscribers() -> Iterable[Subscriber]:
    from stale_tickets.marks import MOVING, unmark

    return [Subscriber(name="stale-tickets.unmark", handle=unmark, event_types=MOVING)]


@hookimpl
def kombuse_columns(kind: str) -> Iterable[Column]:
    sql = f"iif(EXISTS ({_MARK}), 'true', 'false')"
    return [Column(name="is_stale", sql=sql, type=bool)] if kind == "ticket" else []


@hookimpl
def kombuse_filters(kind: str) -> Iterable[Filter]:
    from kombuse_sdk.schemas import QueryBool

    sql = f"EXISTS ({_MARK}) = :is_stale"
    return [Filter(param="is_stale", type=QueryBool, sql=sql)] if kind == "ticket" else []


@hookimpl
def kombuse_routes() -> "APIRouter":
    from stale_tickets.marks import router

    return router


@hookimpl
def kombuse_mcp_tools() -> "Iterable[Tool]":
    from stale_tickets.marks import TOOL

    return [TOOL]
