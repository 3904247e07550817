"""One connected client: what it listens to, and what waits to be sent to it."""

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from kombuse_plugins.realtime.frames import Frame

__all__ = ["MAX_WAITING", "MAX_WAITING_BYTES", "Connection", "Ending"]

MAX_WAITING = 1000
MAX_WAITING_BYTES = 8 * 1024 * 1024
_TRY_AGAIN_LATER = 1013


@dataclass(frozen=True, slots=True)
class Ending:
    code: int
    reason: str


class Connection:
    """Belongs to the server's loop; `send` alone may be called from any thread."""

    def __init__(self, post: Callable[[str, dict[str, Any]], None]) -> None:
        self.id = secrets.token_hex(8)
        self.topics: dict[str, None] = {}
        self.ending: Ending | None = None
        self.ended = asyncio.Event()
        self._post = post
        self._waiting: deque[Frame] = deque()
        self._size = 0
        self._work = asyncio.Event()

    def send(self, message: dict[str, Any]) -> None:
        """In order with all that is published."""
        self._post(self.id, message)

    def put(self, frame: Frame) -> None:
        """Who is too far behind is cut off: it can reconnect and ask how things stand."""
        if self.ending is not None:
            return
        is_full = len(self._waiting) >= MAX_WAITING
        if is_full or (self._waiting and self._size + frame.size > MAX_WAITING_BYTES):
            self.end(Ending(_TRY_AGAIN_LATER, "Too slow: reconnect and get /api/sync/state"))
            return
        self._waiting.append(frame)
        self._size += frame.size
        self._work.set()

    def end(self, ending: Ending) -> None:
        """Close with this code; what waits is not sent any more."""
        self.ending = ending
        self._waiting.clear()
        self.ended.set()

    async def write(self, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Send what is put, until it is cancelled."""
        while True:
            while self._waiting:
                frame = self._waiting.popleft()
                self._size -= frame.size
                await send({"type": "websocket.send", "text": frame.text})
            self._work.clear()
            await self._work.wait()
