"""Triggers: events start agents, each once, and the record of what was started."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import EventType, PluginInfo, Service, Setting, Subscriber, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.types import Kernel

_STARTED = ("invocation_id", "agent_id")
_ENDED = (*_STARTED, "completing_agent_id", "completing_agent_type")


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="triggers", title="Triggers", requires=("agents", "tickets"))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_services() -> Iterable[Service[object]]:
    from kombuse_plugins.triggers import invocations, packages, service
    from kombuse_sdk.contracts import Invocations, PackagedTriggers, Triggers

    return [
        Service(Triggers, service),
        Service(PackagedTriggers, packages),
        Service(Invocations, invocations),
    ]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.triggers.routes import router

    return router


@hookimpl
def kombuse_subscribers() -> Iterable[Subscriber]:
    from kombuse_plugins.triggers import dispatch

    return [
        Subscriber(name="triggers.dispatch", handle=dispatch.follow, concerns=dispatch.concerns)
    ]


@hookimpl
def kombuse_event_types() -> Iterable[EventType]:
    return [
        EventType(
            name="agent.started", description="A triggered run begins on a ticket", payload=_STARTED
        ),
        EventType(
            name="agent.completed", description="A run on a ticket ended well", payload=_ENDED
        ),
        EventType(
            name="agent.failed",
            description="A run on a ticket failed, or was not let to begin",
            payload=(*_ENDED, "error"),
        ),
    ]


@hookimpl
def kombuse_settings() -> Iterable[Setting]:
    from kombuse_plugins.triggers.guards import DEPTH_SETTING

    return [
        Setting(
            key=DEPTH_SETTING,
            default="15",
            description="How many runs on a ticket agents may cause in an hour, 1 to 100",
        )
    ]


@hookimpl
def kombuse_startup(kernel: "Kernel") -> None:
    from kombuse_plugins.triggers import invocations

    with kernel.db.write() as tx:
        invocations.recover(tx)
