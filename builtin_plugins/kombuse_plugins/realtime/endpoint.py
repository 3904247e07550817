"""The ASGI application at /ws."""

import asyncio
import logging
from functools import cached_property
from typing import Any

from kombuse_plugins.realtime.connection import Connection
from kombuse_plugins.realtime.hub import Hub
from kombuse_plugins.realtime.messages import Messages
from kombuse_sdk.errors import NotFound
from kombuse_sdk.types import Kernel

__all__ = ["Endpoint"]

log = logging.getLogger("kombuse.realtime")
_CLOSE_SECONDS = 5


class Endpoint:
    """Per client two tasks: one reads and handles message after message, one writes."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._handling: set[asyncio.Task[None]] = set()

    @cached_property
    def _messages(self) -> Messages:
        return Messages(served for _, served in self._kernel.offers("kombuse_socket_messages"))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            raise NotFound(f"Route {scope['method']}:{scope['path']} not found")
        await receive()
        await send({"type": "websocket.accept"})
        hub = self._kernel.services.get(Hub)
        client = hub.join()
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._read(client, receive)),
            asyncio.create_task(client.write(send)),
            asyncio.create_task(client.ended.wait()),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hub.leave(client)
            for task in tasks:
                task.cancel()
        await _report(tasks)
        await _close(client, send)

    async def _read(self, client: Connection, receive: Any) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            text = message.get("text")
            data = message["bytes"] if text is None else text.encode()
            await self._handle(client, data)

    async def _handle(self, client: Connection, data: bytes) -> None:
        """To its end, even if the connection ends first: half of a change is none."""
        task = asyncio.create_task(self._messages.handle(client, data))
        self._handling.add(task)
        task.add_done_callback(self._handling.discard)
        await asyncio.shield(task)


async def _report(tasks: list[asyncio.Task[Any]]) -> None:
    """What ended it, unless it was the client or us."""
    await asyncio.wait(tasks)
    for task in tasks:
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, OSError):
            log.error("a connection failed", exc_info=error)


async def _close(client: Connection, send: Any) -> None:
    """Tell why, if it is us who end it; a client that does not read may not hold this up."""
    if client.ending is None:
        return
    message = {"code": client.ending.code, "reason": client.ending.reason}
    try:
        async with asyncio.timeout(_CLOSE_SECONDS):
            await send({"type": "websocket.close", **message})
    except OSError:
        pass
