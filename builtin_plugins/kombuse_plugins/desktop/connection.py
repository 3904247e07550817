"""The DevTools protocol over two pipes, which no other process of this machine can reach."""

import asyncio
import fcntl
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kombuse_plugins.desktop.errors import BrowserGone, ProtocolError
from kombuse_sdk.process import ChildProcess

__all__ = ["Connection"]

_NO_DESCRIPTOR_BELOW = 10
# The browser reads from 3 and writes to 4, numbers that only the new process itself can take.
_LAUNCHER = (
    "import os, sys;"
    "r, w = map(int, sys.argv[1:3]);"
    "os.dup2(r, 3); os.dup2(w, 4); os.dup2(2, 1);"
    "os.execv(sys.argv[3], sys.argv[3:])"
)
OnEvent = Callable[[str | None, str, dict[str, Any]], None]


class Connection(asyncio.Protocol):
    """A browser that runs. `on_event` is given (session id, method, parameters) of each event."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._count = 0
        self._chunks: list[bytes] = []
        self._writer: asyncio.WriteTransport
        self._reader: asyncio.ReadTransport
        self.child: ChildProcess
        self.ended = asyncio.Event()

    @classmethod
    async def start(
        cls, argv: Sequence[str], env: Mapping[str, str], on_event: OnEvent
    ) -> "Connection":
        """Raises OSError when the program cannot be started."""
        made = cls(on_event)
        to_browser, our_writing = os.pipe()
        our_reading, from_browser = os.pipe()
        theirs = [
            fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _NO_DESCRIPTOR_BELOW)
            for descriptor in (to_browser, from_browser)
        ]
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *map(str, theirs)]
        loop = asyncio.get_running_loop()
        reading, writing = os.fdopen(our_reading, "rb", 0), os.fdopen(our_writing, "wb", 0)
        made._reader, _ = await loop.connect_read_pipe(lambda: made, reading)
        made._writer, _ = await loop.connect_write_pipe(asyncio.Protocol, writing)
        try:
            made.child = await ChildProcess.start([*launch, *argv], env=env, pass_fds=theirs)
        except BaseException:
            made._close_pipes()
            raise
        finally:
            for descriptor in (to_browser, from_browser, *theirs):
                os.close(descriptor)
        return made

    async def call(self, method: str, session: str | None = None, **params: Any) -> Any:
        """The result of a command. Raises ProtocolError, or BrowserGone."""
        if self.ended.is_set():
            raise BrowserGone
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._calls[self._count] = answer
        try:
            self._writer.write(json.dumps(message).encode() + b"\0")
            return await answer
        finally:
            self._calls.pop(message["id"], None)  # type: ignore[call-overload]

    async def close(self) -> None:
        """The browser ends by itself when its pipes are closed; otherwise it is ended."""
        self._close_pipes()
        self.connection_lost(None)
        await self.child.end(patience=2.0, grace=1.0)

    def data_received(self, data: bytes) -> None:
        *complete, rest = data.split(b"\0")
        for part in complete:
            message = b"".join([*self._chunks, part])
            self._chunks.clear()
            self._take(json.loads(message))
        if rest:
            self._chunks.append(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.ended.is_set():
            return
        self.ended.set()
        self._close_pipes()
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(BrowserGone())

    def _take(self, message: dict[str, Any]) -> None:
        if "id" not in message:
            self._on_event(message.get("sessionId"), message["method"], message["params"])
            return
        answer = self._calls.get(message["id"])
        if answer is None or answer.done():
            return
        if "error" in message:
            answer.set_exception(ProtocolError(message["error"]["message"]))
        else:
            answer.set_result(message["result"])

    def _close_pipes(self) -> None:
        self._reader.close()
        self._writer.close()
