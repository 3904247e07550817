"""The database: an explorer with read-only SQL, and backups."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import Job, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.mcp import Tool
    from kombuse_sdk.types import Kernel


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="database", title="Database explorer")


@hookimpl
def kombuse_services(kernel: "Kernel") -> Iterable[Service[object]]:
    from kombuse_plugins.database.backups import Backups
    from kombuse_plugins.database.sandbox import Explorer
    from kombuse_plugins.database.service import Queries

    queries = Queries(Explorer(kernel.config.database_path))
    return [Service(Queries, queries), Service(Backups, Backups(kernel))]


@hookimpl
def kombuse_jobs() -> Iterable[Job]:
    from kombuse_plugins.database import service

    return [Job(name="database.backups", every=60, run=service.back_up_if_due)]


@hookimpl
def kombuse_startup(kernel: "Kernel") -> None:
    from kombuse_plugins.database import service

    service.report_plan(kernel)


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.database.routes import router

    return router


@hookimpl
def kombuse_mcp_tools() -> "Iterable[Tool]":
    from kombuse_plugins.database.mcp_tools import TOOLS

    return TOOLS


@hookimpl
def kombuse_shutdown(kernel: "Kernel") -> None:
    from kombuse_plugins.database.backups import Backups
    from kombuse_plugins.database.service import Queries

    kernel.services.get(Backups).close()
    kernel.services.get(Queries).close()
