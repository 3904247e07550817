"""Labels: coloured tags on tickets, and the filter by them."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from kombuse_sdk import Column, EventType, Filter, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.mcp import Tool
    from kombuse_sdk.packages import PackageSection

_PAYLOAD = ("label_id", "label_name", "label_slug", "label_plugin_id")


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="labels", title="Labels", requires=("tickets",))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.labels import service
    from kombuse_sdk.contracts import Labels

    return [Service(Labels, service)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.labels.routes import router

    return router


@hookimpl
def kombuse_mcp_tools() -> Iterable["Tool"]:
    from kombuse_plugins.labels.mcp_tools import TOOLS

    return TOOLS


@hookimpl
def kombuse_event_types() -> Iterable[EventType]:
    return [
        EventType(name="label.added", description="A label was put on a ticket", payload=_PAYLOAD),
        EventType(
            name="label.removed", description="A label was taken off a ticket", payload=_PAYLOAD
        ),
    ]


@hookimpl
def kombuse_package_sections() -> "Iterable[PackageSection[Any]]":
    from kombuse_plugins.labels.package_section import LabelSection

    return [LabelSection()]


@hookimpl
def kombuse_columns(kind: str) -> Iterable[Column]:
    from kombuse_plugins.labels import queries

    return [queries.LABELS_OF_TICKET] if kind == "ticket" else []


@hookimpl
def kombuse_filters(kind: str) -> Iterable[Filter]:
    from kombuse_plugins.labels import queries

    return [queries.CARRIES_LABELS] if kind == "ticket" else []
