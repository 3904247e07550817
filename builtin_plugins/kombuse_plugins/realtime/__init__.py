"""Realtime: what happens, told at once to the clients connected at /ws."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kombuse_sdk import Mount, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from kombuse_sdk.events import StoredEvent
    from kombuse_sdk.sockets import SocketMessage
    from kombuse_sdk.storage import WriteTx
    from kombuse_sdk.types import Kernel


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="realtime", title="Real time")


@hookimpl
def kombuse_services(kernel: "Kernel") -> Iterable[Service[object]]:
    from kombuse_plugins.realtime.hub import Hub
    from kombuse_sdk.contracts import Live

    hub = Hub(kernel.db)
    return [Service(Live, hub), Service(Hub, hub)]


@hookimpl
def kombuse_mounts(kernel: "Kernel") -> Iterable[Mount]:
    from kombuse_plugins.realtime.endpoint import Endpoint

    return [Mount(path="/ws", app=Endpoint(kernel))]


@hookimpl
def kombuse_socket_messages(kernel: "Kernel") -> Iterable["SocketMessage"]:
    from kombuse_plugins.realtime.subscriptions import socket_messages

    return socket_messages(kernel)


@hookimpl
def kombuse_event(tx: "WriteTx", event: "StoredEvent") -> None:
    from kombuse_plugins.realtime.hub import Hub

    tx.after_commit(tx.services.get(Hub).events_committed)
