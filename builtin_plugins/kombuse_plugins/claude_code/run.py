"""One live claude program, and its turns."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from claude_agent_sdk import (
    ClaudeAgentOptions,
    ClaudeSDKClient,
    PermissionResultAllow,
    PermissionResultDeny,
    ToolPermissionContext,
)

from kombuse_plugins.claude_code.events import (
    events_of,
    failure_of,
    is_unknown_session,
    usage_of,
)
from kombuse_plugins.claude_code.transport import Exit, Garbage, Inbox, ProgramTransport
from kombuse_sdk.agents import (
    AgentEvent,
    BackendFailed,
    Image,
    PermissionRequest,
    ResumeFailed,
    RunOptions,
    TurnEnd,
    Usage,
)

__all__ = ["ClaudeRun"]

_INTERRUPT_SECONDS = 5.0
_DENIED = "The person denied this."


class ClaudeRun:
    """The SDK's client lives in one task, from `start` to `close`."""

    def __init__(
        self,
        options: RunOptions,
        argv: list[str],
        env: Mapping[str, str],
        prompt_file: Path | None = None,
    ) -> None:
        self.backend_session_id: str | None = None
        self._options = options
        self._prompt_file = prompt_file
        self._inbox = Inbox()
        self._transport = ProgramTransport(argv, options.cwd, env, self._inbox)
        self._client = ClaudeSDKClient(
            ClaudeAgentOptions(can_use_tool=self._may_use), self._transport
        )
        self._closing = asyncio.Event()
        self._owner: asyncio.Task[None] | None = None
        self._forcing: asyncio.Task[None] | None = None
        self._is_interrupted = False
        self._has_spoken = False
        self._is_new = True
        self._cost = options.spent_usd if options.resume_id else 0.0

    @property
    def pid(self) -> int | None:
        child = self._transport.child
        return child.pid if child else None

    async def start(self) -> None:
        """Raises BackendFailed."""
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._owner = asyncio.create_task(self._own(started))
        try:
            await started
        except BaseException:
            await self.close()
            raise

    async def turn(
        self, message: str, images: Sequence[Image]
    ) -> AsyncIterator[AgentEvent | TurnEnd]:
        self._is_interrupted = self._has_spoken = False
        if self._is_new:
            yield _raw("process_spawn", {"pid": self.pid})
        for item in self._inbox.taken():
            for event in self._told(item):
                yield event
        await self._inbox.read(True)
        try:
            await self._send(message, images)
            while True:
                item = await self._inbox.get()
                if isinstance(item, Mapping) and item.get("type") == "result":
                    for last in self._ended(item):
                        yield last
                    return
                for event in self._told(item):
                    yield event
        except Exit as exit:
            yield self._broken(exit)
        finally:
            if self._forcing is not None:
                self._forcing.cancel()
            await self._inbox.read(False)

    async def interrupt(self) -> None:
        """A program that does not end its turn then is ended itself."""
        self._is_interrupted = True
        if self._forcing is None or self._forcing.done():
            self._forcing = asyncio.create_task(self._interrupt())

    async def close(self) -> None:
        self._closing.set()
        if self._prompt_file is not None:
            self._prompt_file.unlink(missing_ok=True)
        if self._owner is not None:
            with contextlib.suppress(BackendFailed):
                await asyncio.shield(self._owner)

    async def _own(self, started: asyncio.Future[None]) -> None:
        try:
            await self._client.connect()
        except Exception as error:
            await self._transport.close()
            argv0 = self._transport.program
            started.set_exception(BackendFailed(f"CLI path: {argv0} — {error}"))
            return
        started.set_result(None)
        try:
            await self._closing.wait()
        finally:
            try:
                await self._client.disconnect()
            finally:
                await self._transport.close()

    async def _interrupt(self) -> None:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_INTERRUPT_SECONDS):
                await self._client.interrupt()
                await asyncio.sleep(_INTERRUPT_SECONDS)
        await self._transport.close()

    async def _send(self, message: str, images: Sequence[Image]) -> None:
        content: Any = message
        if images:
            content = [{"type": "text", "text": message}, *map(_image_block, images)]

        async def messages() -> AsyncIterator[dict[str, Any]]:
            yield {
                "type": "user",
                "message": {"role": "user", "content": content},
                "parent_tool_use_id": None,
            }

        # A program that takes no input any more says in its exit why.
        with contextlib.suppress(OSError):
            await self._client.query(messages())

    def _told(self, item: Mapping[str, Any] | Garbage) -> list[AgentEvent]:
        if isinstance(item, Garbage):
            return [_raw("raw", {"content": str(item)})]
        session_id = item.get("session_id")
        if isinstance(session_id, str) and session_id:
            self.backend_session_id = session_id
        events = events_of(item)
        self._has_spoken = self._has_spoken or any(event.type == "message" for event in events)
        if item.get("type") == "assistant":
            self._is_new = False
        return events

    def _ended(self, result: Mapping[str, Any]) -> list[AgentEvent | TurnEnd]:
        failure, usage = failure_of(result), self._used(result)
        if self._is_interrupted:
            end = TurnEnd(success=False, reason="stopped", error="Interrupted", usage=usage)
            return [end]
        if failure is None:
            said = self._unsaid(result)
            self._told({"session_id": result.get("session_id"), "type": "assistant"})
            return [*said, TurnEnd(success=True, usage=usage)]
        self._refuse_unknown_session(failure)
        self._told({"session_id": result.get("session_id")})
        return [TurnEnd(success=False, error=failure, is_alive=False, usage=usage)]

    def _used(self, result: Mapping[str, Any]) -> Usage:
        """The program tells the tokens of the turn, but the cost since the session began.

        A resumed session goes on with the sum that it had, or from nothing.
        """
        usage = usage_of(result)
        total = usage.cost_usd
        counted = self._cost if total >= self._cost * 0.999 else 0.0
        self._cost = total
        return replace(usage, cost_usd=max(0.0, total - counted))

    def _unsaid(self, result: Mapping[str, Any]) -> list[AgentEvent]:
        """What only the result says, as after a command of the program itself."""
        text = result.get("result")
        if self._has_spoken or not isinstance(text, str) or not text.strip():
            return []
        return [AgentEvent(type="message", payload={"role": "assistant", "content": text})]

    def _broken(self, exit: Exit) -> TurnEnd:
        if self._is_interrupted or self._closing.is_set():
            return TurnEnd(success=False, reason="stopped", error="Interrupted", is_alive=False)
        self._refuse_unknown_session(str(exit))
        raise BackendFailed(str(exit), "process_exit") from None

    def _refuse_unknown_session(self, text: str) -> None:
        if self._options.resume_id and self._is_new and is_unknown_session(text):
            self.backend_session_id = None
            raise ResumeFailed(text) from None

    async def _may_use(
        self, tool: str, given: dict[str, Any], context: ToolPermissionContext
    ) -> PermissionResultAllow | PermissionResultDeny:
        request = PermissionRequest(
            request_id=context.tool_use_id or uuid.uuid4().hex,
            tool_name=tool,
            input=given,
            tool_use_id=context.tool_use_id,
        )
        decision = await self._options.ask(request)
        if decision.behavior == "deny":
            return PermissionResultDeny(message=decision.message or _DENIED)
        updated = decision.updated_input
        return PermissionResultAllow(updated_input=None if updated is None else dict(updated))


def _image_block(image: Image) -> dict[str, Any]:
    source = {"type": "base64", "media_type": image.media_type, "data": image.data}
    return {"type": "image", "source": source}


def _raw(source: str, data: Any) -> AgentEvent:
    return AgentEvent(type="raw", payload={"sourceType": source, "data": data})
