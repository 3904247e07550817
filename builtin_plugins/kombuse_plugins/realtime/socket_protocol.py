"""WebSocket connections of the server process: uvicorn's, with ends that cannot hang."""

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from websockets.frames import Frame

__all__ = ["SocketProtocol"]

_MAX_FRAGMENTS = 1000
_TOO_BIG = 1009
_NOT_TEXT = 1007


class SocketProtocol(WebSocketsSansIOProtocol):
    """A peer that does not read can neither hold back its own end nor keep its buffers.

    uvicorn sends a close frame only once everything before it was taken, and then waits for ever
    for a peer that takes nothing.
    """

    cut_after = 10.0
    _cut: asyncio.TimerHandle | None = None

    async def send(self, message: Any) -> None:
        if message["type"] == "websocket.close":
            self.writable.set()
            self._cut_later()
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True  # refused, which uvicorn would report as a fault

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            self._cut_later()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self._cut_later()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._cut is not None:
            self._cut.cancel()

    def handle_cont(self, event: "Frame") -> None:
        """Fragments cost memory even when they are empty, and no limit of size counts those."""
        if len(self.frames) < _MAX_FRAGMENTS:
            super().handle_cont(event)
        else:
            self._fail(_TOO_BIG)

    def send_receive_event_to_app(self) -> None:
        """Text that is none ends the connection without a stack trace in the log."""
        if self.curr_msg_data_type == "text":
            try:
                b"".join(self.frames).decode()
            except UnicodeDecodeError:
                self._fail(_NOT_TEXT)
                return
        super().send_receive_event_to_app()

    def handle_parser_exception(self) -> None:
        """Take what the peer goes on sending: a reset would reach it before it has read why."""
        if self.close_sent or self.conn.close_sent is None:
            return
        self.close_sent = True
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def _fail(self, code: int) -> None:
        self.frames = []
        if not self.close_sent:
            self.conn.fail(code)
            self.handle_parser_exception()

    def _cut_later(self) -> None:
        if self._cut is None and not self.disconnected:
            self._cut = self.loop.call_later(self.cut_after, self.transport.abort)
