"""Claude Code: runs it as an agent, and switches our server in its configuration."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import PluginInfo, Setting, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.agents import AgentBackend
    from kombuse_sdk.types import Kernel


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="claude_code", title="Claude Code")


@hookimpl
def kombuse_agent_backends(kernel: "Kernel") -> "Iterable[AgentBackend]":
    from kombuse_plugins.claude_code.backend import ClaudeCodeBackend

    return [ClaudeCodeBackend(kernel)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.claude_code.routes import router

    return router


@hookimpl
def kombuse_settings() -> Iterable[Setting]:
    description = "The claude program; `binaries.claude.<project id>` is for one project."
    return [Setting(key="binaries.claude", default=None, description=description)]
