"""The messages that this plugin serves itself: subscribe, unsubscribe, ping."""

from collections.abc import Iterable
from typing import Any, cast

from kombuse_plugins.realtime.connection import Connection
from kombuse_plugins.realtime.frames import message_frame
from kombuse_plugins.realtime.hub import Hub
from kombuse_plugins.realtime.schemas import Empty, Topics
from kombuse_sdk.errors import BadRequest
from kombuse_sdk.sockets import Client, SocketMessage
from kombuse_sdk.types import Kernel

__all__ = ["MAX_TOPICS", "socket_messages"]

MAX_TOPICS = 1000
_MAX_SIZE = 128 * 1024


def socket_messages(kernel: Kernel) -> Iterable[SocketMessage]:
    async def subscribe(client: Client, given: Topics) -> None:
        connection = cast(Connection, client)
        if len({*connection.topics, *given.topics}) > MAX_TOPICS:
            raise BadRequest(f"Too many topics, at most {MAX_TOPICS}")
        hub = kernel.services.get(Hub)
        hub.subscribe(connection, given.topics)
        _answer(client, {"type": "subscribed", "topics": given.topics})
        for message in hub.greetings(given.topics):
            client.send(dict(message))

    async def unsubscribe(client: Client, given: Topics) -> None:
        kernel.services.get(Hub).unsubscribe(cast(Connection, client), given.topics)
        _answer(client, {"type": "unsubscribed", "topics": given.topics})

    async def ping(client: Client, given: Empty) -> None:
        _answer(client, {"type": "pong"})

    return (
        SocketMessage(name="subscribe", model=Topics, handle=subscribe, max_size=_MAX_SIZE),
        SocketMessage(name="unsubscribe", model=Topics, handle=unsubscribe, max_size=_MAX_SIZE),
        SocketMessage(name="ping", model=Empty, handle=ping, max_size=_MAX_SIZE),
    )


def _answer(client: Client, message: dict[str, Any]) -> None:
    """Before all that is on its way already, so that what a new topic brings comes behind."""
    cast(Connection, client).put(message_frame(message))
