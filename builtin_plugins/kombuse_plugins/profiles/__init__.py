"""Profiles: people and agents as actors."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import Column, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.types import Kernel


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="profiles", title="Profiles")


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.profiles import service
    from kombuse_sdk.contracts import Profiles

    return [Service(Profiles, service)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.profiles.routes import router

    return router


@hookimpl
def kombuse_columns(kind: str) -> Iterable[Column]:
    from kombuse_plugins.profiles import queries

    return queries.COLUMNS.get(kind, ())


@hookimpl
def kombuse_startup(kernel: "Kernel") -> None:
    from kombuse_plugins.profiles import service

    with kernel.db.write() as tx:
        service.seed(tx)
