"""Sessions: agents while they run, and the record of what they did."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import Command, Job, PluginInfo, Service, Setting, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.sockets import SocketMessage
    from kombuse_sdk.types import Kernel

_SWEEP_SECONDS = 60
_EXPIRY_SECONDS = 3600


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="sessions", title="Sessions", requires=("triggers",))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services(kernel: "Kernel") -> Iterable[Service[object]]:
    from kombuse_plugins.sessions import prompts
    from kombuse_plugins.sessions.provider import LiveSessions
    from kombuse_sdk.contracts import Prompts, Sessions

    return [Service(Sessions, LiveSessions(kernel)), Service(Prompts, prompts)]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.sessions.routes import router

    return router


@hookimpl
def kombuse_socket_messages(kernel: "Kernel") -> Iterable["SocketMessage"]:
    from kombuse_plugins.sessions.socket_messages import socket_messages

    return socket_messages(kernel)


@hookimpl
def kombuse_jobs() -> Iterable[Job]:
    return [
        Job(name="sessions.sweep", every=_SWEEP_SECONDS, run=_sweep),
        Job(name="sessions.expire", every=_EXPIRY_SECONDS, run=_expire),
    ]


@hookimpl
def kombuse_settings() -> Iterable[Setting]:
    return [
        Setting(
            key="chat.default_backend_type",
            default="claude-code",
            description="The backend of chats and agents that name none",
        ),
        Setting(
            key="chat.default_model",
            default=None,
            description="The model of chats and agents that name none",
        ),
        Setting(
            key="chat.backend_idle_timeout_minutes",
            default="30",
            description="How long a backend waits for the next message; empty is for ever",
        ),
    ]


@hookimpl
def kombuse_commands() -> Iterable[Command]:
    target = "kombuse_plugins.sessions.cli:app"
    return [Command(name="session", target=target, help="What agents do, and did.")]


@hookimpl
def kombuse_startup(kernel: "Kernel") -> None:
    from kombuse_plugins.sessions.provider import live_sessions
    from kombuse_plugins.sessions.secrets import guard_logs

    guard_logs()
    live_sessions(kernel).start()


@hookimpl
def kombuse_shutdown(kernel: "Kernel") -> None:
    from kombuse_plugins.sessions.provider import live_sessions

    live_sessions(kernel).runner.stop()


def _expire(kernel: "Kernel") -> None:
    from kombuse_plugins.sessions.provider import live_sessions

    live_sessions(kernel).expire()


def _sweep(kernel: "Kernel") -> None:
    from kombuse_plugins.sessions.provider import live_sessions

    live_sessions(kernel).sweep()
