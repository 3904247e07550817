"""Echo: an agent backend whose agent repeats what it is told."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import PluginInfo, hookimpl

if TYPE_CHECKING:
    from kombuse_sdk.agents import AgentBackend


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="echo", title="Echo")


@hookimpl
def kombuse_agent_backends() -> "Iterable[AgentBackend]":
    from kombuse_echo.backend import EchoBackend

    return [EchoBackend()]
