"""Milestones: tickets grouped into phases that have a date."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import EventType, Filter, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="milestones", title="Milestones", requires=("tickets",))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.milestones import service
    from kombuse_sdk.contracts import Milestones

    return [Service(Milestones, service)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.milestones.routes import router

    return router


@hookimpl
def kombuse_event_types() -> Iterable[EventType]:
    return [
        EventType(
            name=f"milestone.{what}",
            description=f"A milestone was {what}",
            payload=("milestone_id", "title"),
        )
        for what in ("created", "updated", "deleted")
    ]


@hookimpl
def kombuse_filters(kind: str) -> Iterable[Filter]:
    from kombuse_plugins.milestones import queries

    return [queries.IN_MILESTONE] if kind == "ticket" else []
