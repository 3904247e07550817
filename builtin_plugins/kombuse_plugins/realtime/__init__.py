"""Realtime: what happens, told at once to the clients connected at /ws."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kombuse_sdk import Mount, PluginInfo, Service, hookimpl

if TYPE_CHECKING:
    from kombuse_sdk.events import StoredEvent
    from kombuse_sdk.sockets import SocketMessage
    from kombuse_sdk.storage import WriteTx
    from kombuse_sdk.types import Kernel

# A ping every 20 seconds; who answers none for as long as two of them take is gone.
SERVER_SETTINGS: dict[str, Any] = {
    "ws": "kombuse_plugins.realtime.socket_protocol:SocketProtocol",
    "ws_max_size": 16 * 1024 * 1024,
    "ws_per_message_deflate": False,
    "ws_ping_interval": 20.0,
    "ws_ping_timeout": 40.0,
}


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="realtime", title="Real time")


@hookimpl
def kombuse_services(kernel: "Kernel") -> Iterable[Service[object]]:
    from kombuse_plugins.realtime.hub import Hub
    from kombuse_sdk.contracts import Greetings, Live

    hub = Hub(kernel.db)
    return [Service(Live, hub), Service(Greetings, hub), Service(Hub, hub)]


@hookimpl
def kombuse_mounts(kernel: "Kernel") -> Iterable[Mount]:
    from kombuse_plugins.realtime.endpoint import Endpoint

    return [Mount(path="/ws", app=Endpoint(kernel), server_settings=SERVER_SETTINGS)]


@hookimpl
def kombuse_socket_messages(kernel: "Kernel") -> Iterable["SocketMessage"]:
    from kombuse_plugins.realtime.socket_messages import socket_messages

    return socket_messages(kernel)


@hookimpl
def kombuse_event(tx: "WriteTx", event: "StoredEvent") -> None:
    from kombuse_plugins.realtime.hub import Hub

    tx.after_commit(tx.services.get(Hub).events_committed)
