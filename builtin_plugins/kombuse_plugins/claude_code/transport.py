"""How the SDK's client and the claude program are put together.

`claude-agent-sdk` drives the control protocol (permission requests, interrupts) over this
transport, which starts the program itself: with the environment and the process group that we want.
What the program says beside the control protocol goes to an inbox as it was printed, so that an
unknown or unusual message neither gets lost nor ends the run.

The answer to the client's `initialize` is made here, at once: the program gets the request and the
first message in one go, and an older one that does not know the request works as well. So a program
that hangs does so in its first turn, where it can be interrupted.
"""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from claude_agent_sdk import Transport

from kombuse_sdk.process import MOST_GARBAGE, ChildProcess, LineTooLong, NoMessages

__all__ = ["Exit", "Garbage", "Inbox", "ProgramTransport"]

_CONTROL = frozenset({"control_request", "control_response", "control_cancel_request"})
_FULL = 500
_PATIENCE_SECONDS = 2.0
_LAST_SECONDS = 1.0


class Garbage(str):
    """A line that is no JSON object."""


class Exit(Exception):
    """The program ended, or cannot be understood any more; `code` None in the latter case."""

    def __init__(self, message: str, code: int | None) -> None:
        super().__init__(message)
        self.code = code


class Inbox:
    """What the program said and nobody took yet.

    A full inbox holds the program up while a turn is read; between turns the oldest things go.
    """

    def __init__(self) -> None:
        self._items: deque[Mapping[str, Any] | Garbage] = deque()
        self._exit: Exit | None = None
        self._changed = asyncio.Condition()
        self._is_read = False

    async def read(self, is_read: bool) -> None:
        """Say whether somebody reads from now on."""
        async with self._changed:
            self._is_read = is_read
            self._changed.notify_all()

    async def finish(self, exit: Exit) -> None:
        """There will be no more; the first reason counts."""
        async with self._changed:
            self._exit = self._exit or exit
            self._changed.notify_all()

    async def put(self, item: Mapping[str, Any] | Garbage) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self._items) < _FULL or not self._is_read)
            self._items.append(item)
            while len(self._items) > _FULL:
                self._items.popleft()
            self._changed.notify_all()

    async def get(self) -> Mapping[str, Any] | Garbage:
        """Raises Exit, again and again, when there will be no more."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._items or self._exit)
            if not self._items:
                assert self._exit is not None
                raise self._exit
            self._changed.notify_all()
            return self._items.popleft()

    def taken(self) -> list[Mapping[str, Any] | Garbage]:
        """All that is there already."""
        found = list(self._items)
        self._items.clear()
        return found


class ProgramTransport(Transport):
    def __init__(self, argv: list[str], cwd: Path, env: Mapping[str, str], inbox: Inbox) -> None:
        self._argv = argv
        self._cwd = cwd
        self._env = env
        self._inbox = inbox
        self._control: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._reading: asyncio.Task[None] | None = None
        self._garbage = 0
        self.child: ChildProcess | None = None

    @property
    def program(self) -> str:
        return self._argv[0]

    async def connect(self) -> None:
        """Raises OSError."""
        self.child = await ChildProcess.start(self._argv, cwd=self._cwd, env=self._env)
        self._reading = asyncio.create_task(self._read(self.child))

    async def write(self, data: str) -> None:
        assert self.child is not None
        message = json.loads(data)
        if message.get("request", {}).get("subtype") == "initialize":
            response = {"subtype": "success", "request_id": message["request_id"], "response": {}}
            self._control.put_nowait({"type": "control_response", "response": response})
        await self.child.write(data.encode())

    async def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self._control.get()) is not None:
            yield message

    async def close(self) -> None:
        self._control.put_nowait(None)
        if self.child is not None:
            await self.child.end(patience=_PATIENCE_SECONDS)
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=_LAST_SECONDS)
            self._reading.cancel()
        await self._inbox.finish(Exit("Claude was closed", None))

    def is_ready(self) -> bool:
        return self.child is not None and self.child.exit_code is None

    async def end_input(self) -> None:
        if self.child is not None:
            self.child.close_input()

    async def _read(self, child: ChildProcess) -> None:
        try:
            async for line in child.lines():
                await self._take(line)
            code = await child.wait()
            text = f"Claude process exited with code {code}\n{child.stderr[-500:]}".rstrip()
            await self._inbox.finish(Exit(text, code))
        except (LineTooLong, NoMessages) as error:
            await self._inbox.finish(Exit(f"Claude printed {error}", None))
        finally:
            self._control.put_nowait(None)

    async def _take(self, line: bytes) -> None:
        text = line.decode(errors="replace").strip()
        if not text:
            return
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        self._garbage = 0 if isinstance(message, dict) else self._garbage + 1
        if self._garbage > MOST_GARBAGE:
            raise NoMessages
        if not isinstance(message, dict):
            await self._inbox.put(Garbage(text[:2000]))
        elif message.get("type") in _CONTROL:
            self._control.put_nowait(message)
        else:
            await self._inbox.put(message)
