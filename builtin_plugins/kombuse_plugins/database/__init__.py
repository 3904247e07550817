"""Database explorer: read-only SQL over the tracker's own database."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.mcp import Tool
    from kombuse_sdk.types import Kernel


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="database", title="Database explorer")


@hookimpl
def kombuse_services(kernel: "Kernel") -> Iterable[Service[object]]:
    from kombuse_plugins.database.sandbox import Explorer
    from kombuse_plugins.database.service import Queries

    return [Service(Queries, Queries(Explorer(kernel.config.database_path)))]


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
    from kombuse_plugins.database.service import Queries

    kernel.services.get(Queries).close()
