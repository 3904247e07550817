"""The mock backend: no process and no model, does what its script says. For tests and demos."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from kombuse_plugins.backends.script import KINDS, Step, steps_for
from kombuse_sdk.agents import (
    AgentEvent,
    BackendFailed,
    BackendStatus,
    Decision,
    Image,
    ModelCatalogue,
    PermissionRequest,
    ResumeFailed,
    RunOptions,
    TurnEnd,
    Usage,
)

__all__ = ["MockBackend", "MockRun"]

_USAGE = frozenset(field.name for field in fields(Usage))
_SECONDS = 30.0


class MockBackend:
    """Of `config`, `mock.steps` is its script, `mock.fails_to_open` and `mock.fails_to_resume` are
    texts of such failures, `mock.session_id` makes it one that can be resumed and talked to again.
    """

    name = "mock"

    async def open(self, options: RunOptions) -> "MockRun":
        mock = options.config.get("mock")
        settings: Mapping[str, Any] = mock if isinstance(mock, Mapping) else {}
        if settings.get("fails_to_open"):
            raise BackendFailed(str(settings["fails_to_open"]))
        if options.resume_id is not None and settings.get("fails_to_resume"):
            raise ResumeFailed(str(settings["fails_to_resume"]))
        return MockRun(options, options.resume_id or settings.get("session_id"))

    async def status(self, project_id: str | None = None) -> BackendStatus:
        return BackendStatus(available=True)

    async def models(self) -> ModelCatalogue:
        return ModelCatalogue(supports_selection=False)


class MockRun:
    def __init__(self, options: RunOptions, session_id: str | None) -> None:
        self.backend_session_id = session_id
        self.pid = None
        self._options = options
        self._uses = 0
        self._stopping = asyncio.Event()
        self._usage: Usage | None = None

    async def turn(
        self, message: str, images: Sequence[Image]
    ) -> AsyncIterator[AgentEvent | TurnEnd]:
        self._stopping.clear()
        self._usage = None
        is_alive = self.backend_session_id is not None
        for step in steps_for(message, self._options.config):
            if self._stopping.is_set():
                break
            if "error" in step:
                error = str(step["error"])
                yield TurnEnd(success=False, error=error, is_alive=is_alive, usage=self._usage)
                return
            async for event in self._do(step):
                yield event
                if self._stopping.is_set():
                    break
        if self._stopping.is_set():
            yield TurnEnd(success=False, reason="stopped", error="Interrupted", is_alive=is_alive)
        else:
            yield TurnEnd(
                success=True, reason="mock_complete", is_alive=is_alive, usage=self._usage
            )

    async def interrupt(self) -> None:
        self._stopping.set()

    async def close(self) -> None:
        self._stopping.set()

    async def _do(self, step: Step) -> AsyncIterator[AgentEvent]:
        match next((kind for kind in KINDS if kind in step), None):
            case "message":
                yield _said(str(step["message"]))
            case "thinking":
                data = {"thinking": str(step["thinking"])}
                yield AgentEvent(type="raw", payload={"sourceType": "thinking", "data": data})
            case "events":
                for number in range(int(step["events"])):
                    yield _said(f"event {number + 1}")
                    # A loop without a pause would keep everything else of the runner waiting.
                    await asyncio.sleep(0)
            case "tool_use" | "permission_request" | "mcp" as kind:
                async for event in self._use(kind, step):
                    yield event
            case "delay":
                await self._interrupted(float(step["delay"]))
            case "hang":
                await self._interrupted(None)
            case "usage":
                self._usage = Usage(**{k: v for k, v in step["usage"].items() if k in _USAGE})
            case "crash":
                raise BackendFailed(str(step["crash"]), "process_exit")
            case None:
                raise BackendFailed(f"The mock agent knows no step {json.dumps(step)}")

    async def _use(self, kind: str, step: Step) -> AsyncIterator[AgentEvent]:
        self._uses += 1
        use_id = f"{self._options.session_id}-{self._uses}"
        name = f"mcp__kombuse__{step[kind]}" if kind == "mcp" else str(step[kind])
        given: Mapping[str, Any] = step.get("input") or {}
        yield AgentEvent(type="tool_use", payload={"id": use_id, "name": name, "input": given})
        if kind != "tool_use":
            request = PermissionRequest(
                request_id=use_id, tool_name=name, input=given, tool_use_id=use_id
            )
            decision = await self._asked(request)
            if decision is None:
                return
            if decision.behavior == "deny":
                yield _result(use_id, decision.message or "Denied", is_error=True)
                return
            given = given if decision.updated_input is None else decision.updated_input
        if kind == "mcp":
            yield _result(use_id, *await asyncio.to_thread(self._call, str(step[kind]), given))
        else:
            yield _result(use_id, str(step.get("result", "done")))

    async def _asked(self, request: PermissionRequest) -> Decision | None:
        """The answer, or None when the turn is interrupted before there is one."""
        asking = asyncio.ensure_future(self._options.ask(request))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({asking, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return asking.result() if asking.done() else None
        finally:
            asking.cancel()
            stopping.cancel()

    def _call(self, tool: str, given: Mapping[str, Any]) -> tuple[str, bool]:
        """What the tool of this server answers, and whether that is an error."""
        arguments = {"kombuse_session_id": self._options.session_id, **given}
        params = {"name": tool, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {"content-type": "application/json", "accept": "application/json"}
        if self._options.mcp_token:
            headers["authorization"] = f"Bearer {self._options.mcp_token}"
        from urllib.request import ProxyHandler, Request, build_opener

        request = Request(self._options.mcp_url or "", json.dumps(message).encode(), headers)
        opener = build_opener(ProxyHandler({}))
        try:
            with opener.open(request, timeout=_SECONDS) as answer:
                result = json.load(answer)["result"]
        except (OSError, ValueError, KeyError) as error:
            return f"{type(error).__name__}: {error}", True
        texts = (block.get("text", "") for block in result["content"])
        return "\n".join(texts), bool(result.get("isError"))

    async def _interrupted(self, seconds: float | None) -> None:
        """Wait, but not beyond an interruption."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            pass


def _said(text: str) -> AgentEvent:
    return AgentEvent(type="message", payload={"role": "assistant", "content": text})


def _result(use_id: str, content: str, is_error: bool = False) -> AgentEvent:
    payload: dict[str, Any] = {"toolUseId": use_id, "content": content}
    return AgentEvent(type="tool_result", payload=payload | ({"isError": True} if is_error else {}))
