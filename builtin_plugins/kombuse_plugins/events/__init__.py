"""Events: the audit log, what happened on a ticket, and polling marks for those who follow it."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import PluginInfo, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="events", title="Events", requires=("profiles", "projects"))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.events.routes import router

    return router
