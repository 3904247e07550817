"""Backends: which kinds of agents can run here, their models, and a scripted one."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import PluginInfo, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.agents import AgentBackend
    from kombuse_sdk.types import Kernel


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="backends", title="Agent backends")


@hookimpl
def kombuse_agent_backends() -> "Iterable[AgentBackend]":
    from kombuse_plugins.backends.mock import MockBackend

    return [MockBackend()]


@hookimpl
def kombuse_routes(kernel: "Kernel") -> "APIRouter":
    from kombuse_plugins.backends.routes import make_router

    return make_router(kernel)
