"""Settings: what a profile has chosen, as text under a key."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="settings", title="Settings", requires=("profiles",))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.settings import service
    from kombuse_sdk.contracts import Settings

    return [Service(Settings, service)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.settings.routes import router

    return router
