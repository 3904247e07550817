"""What clients say: found out, checked, and handed to the plugin that serves it."""

import logging
from collections.abc import Iterable
from typing import Any

import msgspec
from pydantic import ValidationError

from kombuse_plugins.realtime.connection import Connection
from kombuse_sdk.errors import BadRequest, KombuseError, TooLarge
from kombuse_sdk.sockets import SocketMessage

__all__ = ["Messages"]

log = logging.getLogger("kombuse.realtime")
_INVALID = "Invalid message format"
_SHOWN = 100


class _Head(msgspec.Struct):
    """Read alone first: what else there is costs nothing until its size is known to be right."""

    type: str


class Messages:
    def __init__(self, served: Iterable[SocketMessage]) -> None:
        self._served = {message.name: message for message in served}
        self._max_size = max((message.max_size for message in self._served.values()), default=0)

    async def handle(self, client: Connection, data: bytes) -> None:
        """Whatever goes wrong is told to this client, and never ends its connection."""
        try:
            message, given = self._read(data)
            await message.handle(client, given)
        except KombuseError as error:
            client.send({"type": "error", "message": error.message})
        except Exception:
            log.exception("a message of a client failed")
            client.send({"type": "error", "message": "Internal server error"})

    def _read(self, data: bytes) -> tuple[SocketMessage, Any]:
        if len(data) > self._max_size:
            raise TooLarge(f"Message is too large, at most {self._max_size} bytes")
        try:
            name = msgspec.json.decode(data, type=_Head).type
        except (msgspec.DecodeError, RecursionError, ValueError):
            raise BadRequest(_INVALID) from None
        message = self._served.get(name)
        if message is None:
            raise BadRequest(f"Unknown message type: {name[:_SHOWN]}")
        if len(data) > message.max_size:
            raise TooLarge(f"Message is too large, at most {message.max_size} bytes for {name}")
        try:
            return message, message.model.model_validate_json(data)
        except ValidationError:
            raise BadRequest(_INVALID) from None
