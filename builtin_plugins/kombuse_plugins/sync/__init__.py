"""Sync: how things stand with the agents, for clients that begin to listen."""

from typing import TYPE_CHECKING

from kombuse_sdk import PluginInfo, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="sync", title="Sync state")


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.sync.routes import router

    return router
