"""Analytics: what agents and tickets did over time, and what it cost."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import Command, PluginInfo, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(
        name="analytics", title="Analytics", requires=("sessions", "tickets", "triggers")
    )


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.analytics.routes import router

    return router


@hookimpl
def kombuse_commands() -> Iterable[Command]:
    target = "kombuse_plugins.analytics.cli:app"
    return [Command(name="analytics", target=target, help="Reports on agents and tickets.")]
