"""The backend `echo`: the program `cat`, one line in and one line out."""

import shutil
from collections.abc import AsyncIterator, Sequence

from kombuse_sdk.agents import (
    AgentEvent,
    BackendFailed,
    BackendStatus,
    Image,
    ModelCatalogue,
    PermissionRequest,
    RunOptions,
    TurnEnd,
)
from kombuse_sdk.process import ChildProcess

__all__ = ["EchoBackend", "EchoRun"]


class EchoRun:
    backend_session_id = None

    def __init__(self, options: RunOptions, child: ChildProcess) -> None:
        self.pid = child.pid
        self._options = options
        self._child = child
        self._lines = child.lines()

    async def turn(
        self, message: str, images: Sequence[Image]
    ) -> AsyncIterator[AgentEvent | TurnEnd]:
        request = PermissionRequest(request_id="echo", tool_name="Echo", input={"text": message})
        decision = await self._options.ask(request)
        if decision.behavior == "deny":
            yield TurnEnd(success=False, error=decision.message or "Denied")
            return
        for line in message.splitlines():
            try:
                await self._child.write(line.encode() + b"\n")
                answer = await anext(self._lines)
            except (OSError, StopAsyncIteration):
                raise BackendFailed("cat has ended", "process_exit") from None
            payload = {"role": "assistant", "content": answer.decode()}
            yield AgentEvent(type="message", payload=payload)
        yield TurnEnd(success=True)

    async def interrupt(self) -> None:
        await self._child.end()

    async def close(self) -> None:
        await self._child.end()


class EchoBackend:
    name = "echo"

    async def open(self, options: RunOptions) -> EchoRun:
        path = shutil.which("cat")
        if path is None:
            raise BackendFailed("Install cat")
        return EchoRun(options, await ChildProcess.start([path], cwd=options.cwd))

    async def status(self, project_id: str | None = None) -> BackendStatus:
        path = shutil.which("cat")
        return BackendStatus(available=path is not None, path=path, hint=None if path else "cat")

    async def models(self) -> ModelCatalogue:
        return ModelCatalogue(supports_selection=False)
