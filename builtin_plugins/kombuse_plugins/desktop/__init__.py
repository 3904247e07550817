"""Desktop: the app in a window of this machine's browser, and control over such windows."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import Command, EventType, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.mcp import Tool
    from kombuse_sdk.types import Kernel


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="desktop", title="Desktop")


@hookimpl
def kombuse_services(kernel: "Kernel") -> Iterable[Service[object]]:
    """Nothing without the desktop mode, which is how the other hooks tell."""
    from kombuse_plugins.desktop.mode import requested_mode

    mode = requested_mode()
    if mode is None:
        return ()
    from kombuse_plugins.desktop.service import Desktop

    return [Service(Desktop, Desktop(kernel, mode))]


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_plugins.desktop.mode import requested_mode
    from kombuse_plugins.desktop.routes import absent, router

    return absent() if requested_mode() is None else router


@hookimpl
def kombuse_mcp_tools() -> "Iterable[Tool]":
    from kombuse_plugins.desktop.mode import requested_mode

    if requested_mode() is None:
        return ()
    from kombuse_plugins.desktop.mcp_tools import TOOLS

    return TOOLS


@hookimpl
def kombuse_event_types() -> Iterable[EventType]:
    return [
        EventType(
            name="desktop.called",
            description="A desktop window was controlled, or somebody tried to",
            payload=("action", "status", "window_id"),
        )
    ]


@hookimpl
def kombuse_commands() -> Iterable[Command]:
    target = "kombuse_plugins.desktop.cli:app"
    return [Command(name="desktop", target=target, help="The app in a window of its own.")]


@hookimpl
def kombuse_startup(kernel: "Kernel") -> None:
    from kombuse_plugins.desktop.service import Desktop

    desktop = kernel.services.find(Desktop)
    if desktop is not None:
        desktop.start()


@hookimpl
def kombuse_shutdown(kernel: "Kernel") -> None:
    from kombuse_plugins.desktop.service import Desktop

    desktop = kernel.services.find(Desktop)
    if desktop is not None:
        desktop.stop()
