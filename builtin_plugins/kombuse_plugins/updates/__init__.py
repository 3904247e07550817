"""Updates: newer versions of the application and of the command line, when a person wants them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import Command, EventType, Job, PluginInfo, Service, Setting, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.types import Kernel
    from kombuse_sdk.updates import Kind, Updater

_TICK_SECONDS = 60.0


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="updates", title="Updates", requires=("settings",))


@hookimpl
def kombuse_services(kernel: "Kernel") -> Iterable[Service[object]]:
    from kombuse_plugins.updates.service import Updates

    return [Service(Updates, Updates(kernel))]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.updates.routes import router

    return router


@hookimpl
def kombuse_event_types() -> Iterable[EventType]:
    return [
        EventType(
            name="update.available",
            description="A newer version was found",
            payload=("kind", "version", "current_version"),
        ),
        EventType(
            name="update.installed",
            description="A newer version was installed, for the next start",
            payload=("kind", "version", "former_version"),
        ),
        EventType(
            name="update.failed",
            description="A newer version could not be installed",
            payload=("kind", "version", "error"),
        ),
    ]


@hookimpl
def kombuse_settings() -> Iterable[Setting]:
    from kombuse_plugins.updates.service import DISMISSED

    return [
        Setting(key=key, default=None, description=f"The {kind} update not to be shown any more")
        for kind, key in DISMISSED.items()
    ]


@hookimpl
def kombuse_jobs() -> Iterable[Job]:
    from kombuse_plugins.updates.service import check_when_due

    return [Job(name="updates", every=_TICK_SECONDS, run=check_when_due)]


@hookimpl
def kombuse_commands() -> Iterable[Command]:
    target = "kombuse_plugins.updates.cli:app"
    return [Command(name="update", target=target, help="Update Kombuse, or go back.")]


@hookimpl
def kombuse_updater(kernel: "Kernel", kind: "Kind") -> "Updater | None":
    """Nothing unless the person has switched updates on."""
    from kombuse_plugins.updates.configuration import of_config

    configuration = of_config(kernel.config.values)
    if not configuration.enabled:
        return None
    from kombuse_plugins.updates.choice import updater

    return updater(kernel.config.home, kind, configuration)


@hookimpl
def kombuse_startup(kernel: "Kernel") -> None:
    from kombuse_plugins.updates.service import Updates

    kernel.services.get(Updates).start()
