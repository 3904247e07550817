"""Claude Code: runs it as an agent, is set up in its configuration, and shows its sessions."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import Command, Job, PluginInfo, Service, Setting, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.agents import AgentBackend
    from kombuse_sdk.types import Kernel

_WATCH_SECONDS = 10


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="claude_code", title="Claude Code")


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.claude_code.session_files import SessionFiles

    return [Service(SessionFiles, SessionFiles())]


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


@hookimpl
def kombuse_jobs() -> Iterable[Job]:
    return [Job(name="claude_code.sessions", every=_WATCH_SECONDS, run=_watch)]


@hookimpl
def kombuse_commands() -> Iterable[Command]:
    target = "kombuse_plugins.claude_code.cli:app"
    return [Command(name="claude", target=target, help="What Claude Code has worked on.")]


@hookimpl
def kombuse_shutdown(kernel: "Kernel") -> None:
    from kombuse_plugins.claude_code.session_files import SessionFiles

    kernel.services.get(SessionFiles).close()


def _watch(kernel: "Kernel") -> None:
    from kombuse_plugins.claude_code import service

    service.announce_new_sessions(kernel)
