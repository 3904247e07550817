"""One live Codex thread, and its turns."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from kombuse_plugins.codex.connection import Connection, RequestFailed, Unsupported
from kombuse_plugins.codex.items import command_of, completed, raw, said, started, usage_of
from kombuse_sdk.agents import (
    AgentEvent,
    BackendFailed,
    Decision,
    Image,
    PermissionRequest,
    ResumeFailed,
    RunOptions,
    TurnEnd,
    Usage,
)
from kombuse_sdk.process import ChildProcess

__all__ = ["CodexRun", "initialize"]

_INTERRUPT_SECONDS = 5.0
_PATIENCE_SECONDS = 1.0
_SERVER_SECONDS = 5.0
_LAST_SECONDS = 1.0
_FULL = 500
_REPORTED = frozenset(
    {
        "warning",
        "configWarning",
        "deprecationNotice",
        "model/rerouted",
        "thread/compacted",
        "garbage",
    }
)
Params = Mapping[str, Any]


async def initialize(connection: Connection) -> None:
    """Raises RequestFailed."""
    client = {"name": "kombuse", "title": "Kombuse", "version": "0.1.0"}
    capabilities = {"experimentalApi": False}
    await connection.request("initialize", {"clientInfo": client, "capabilities": capabilities})
    await connection.notify("initialized")


class CodexRun:
    """`has_server` says that our MCP server was given to the program."""

    def __init__(self, options: RunOptions, child: ChildProcess, *, has_server: bool) -> None:
        self.backend_session_id: str | None = None
        self.pid = child.pid
        self._options = options
        self._told: asyncio.Queue[AgentEvent | TurnEnd | BackendFailed] = asyncio.Queue(_FULL)
        self._connection = Connection(child, self._asked, self._heard, self._broke)
        self._turn_id: str | None = None
        self._is_in_turn = False
        self._is_interrupted = False
        self._is_closed = False
        self._is_announced = False
        self._server_started = asyncio.Event()
        if not has_server:
            self._server_started.set()
        self._forcing: asyncio.Task[None] | None = None
        self._turn = _TurnState()
        self._total: Counter[str] | None = None
        self._used: Counter[str] | None = None

    async def start(self) -> None:
        """Raises BackendFailed or ResumeFailed."""
        try:
            await initialize(self._connection)
        except RequestFailed as error:
            raise BackendFailed(f"Codex is not usable: {error}") from None
        options = self._options
        params: dict[str, Any] = {"cwd": str(options.cwd)}
        if options.model:
            params["model"] = options.model
        if options.system_prompt:
            params["developerInstructions"] = options.system_prompt
        if options.resume_id:
            params["threadId"] = options.resume_id
        method = "thread/resume" if options.resume_id else "thread/start"
        try:
            answer = await self._connection.request(method, params)
        except RequestFailed as error:
            raise (ResumeFailed if options.resume_id else BackendFailed)(str(error)) from None
        self.backend_session_id = _id_in(answer, "thread") or options.resume_id
        # A turn that begins before would be without our tools.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._server_started.wait(), _SERVER_SECONDS)

    async def turn(
        self, message: str, images: Sequence[Image]
    ) -> AsyncIterator[AgentEvent | TurnEnd]:
        self._drop()
        self._turn, self._turn_id, self._used = _TurnState(), None, self._total
        self._is_interrupted, self._is_in_turn = False, True
        try:
            if not self._is_announced:
                self._is_announced = True
                yield raw("thread_created", {"session_id": self.backend_session_id})
            # The turn may be over before its request is answered, if the queue were not read.
            beginning = asyncio.create_task(self._begin(message, images))
            try:
                while True:
                    item = await self._told.get()
                    if isinstance(item, BackendFailed):
                        yield self._broken(item)
                        return
                    yield item
                    if isinstance(item, TurnEnd):
                        return
            finally:
                beginning.cancel()
        finally:
            self._is_in_turn = False
            if self._forcing is not None:
                self._forcing.cancel()
            self._drop()

    async def interrupt(self) -> None:
        """A program that does not end its turn then is ended itself."""
        self._is_interrupted = True
        self._connection.withdraw()
        if self._forcing is None or self._forcing.done():
            self._forcing = asyncio.create_task(self._interrupt())

    async def close(self) -> None:
        self._is_closed = True
        await self._connection.close(_PATIENCE_SECONDS)

    async def _begin(self, message: str, images: Sequence[Image]) -> None:
        given: list[dict[str, Any]] = [{"type": "text", "text": message, "text_elements": []}]
        given += [
            {"type": "image", "url": f"data:{image.media_type};base64,{image.data}"}
            for image in images
        ]
        params = {"threadId": self.backend_session_id, "input": given}
        try:
            answer = await self._connection.request("turn/start", params)
        except RequestFailed as error:
            cause = "process_exit" if self._connection.has_ended else "agent_error"
            await self._tell(BackendFailed(str(error), cause))
        else:
            self._turn_id = _id_in(answer, "turn") or self._turn_id

    async def _interrupt(self) -> None:
        params = {"threadId": self.backend_session_id, "turnId": self._turn_id}
        with contextlib.suppress(RequestFailed, TimeoutError):
            async with asyncio.timeout(_INTERRUPT_SECONDS):
                await self._connection.request("turn/interrupt", params)
                await asyncio.sleep(_INTERRUPT_SECONDS)
        await self._connection.close(0)

    def _drop(self) -> None:
        while not self._told.empty():
            self._told.get_nowait()

    async def _tell(self, item: AgentEvent | TurnEnd | BackendFailed) -> None:
        if self._is_in_turn:
            await self._told.put(item)

    def _broken(self, failure: BackendFailed) -> TurnEnd:
        if self._is_interrupted or self._is_closed:
            return TurnEnd(success=False, reason="stopped", error="Interrupted", is_alive=False)
        raise failure

    async def _broke(self, text: str) -> None:
        """Told even to one who has stopped reading, or closing would wait for that for ever."""
        failure = BackendFailed(text, "process_exit")
        try:
            await asyncio.wait_for(self._tell(failure), _LAST_SECONDS)
        except TimeoutError:
            self._told.get_nowait()
            self._told.put_nowait(failure)

    async def _heard(self, method: str, params: Params) -> None:
        if method == "mcpServer/startupStatus/updated":
            if params.get("name") == "kombuse" and params.get("status") != "starting":
                self._server_started.set()
            return
        if params.get("threadId") not in (None, self.backend_session_id):
            return  # of a sub-agent
        for event in self._events_of(method, params):
            await self._tell(event)

    def _events_of(self, method: str, params: Params) -> list[AgentEvent | TurnEnd]:
        found = params.get("item")
        item: Params = found if isinstance(found, Mapping) else {}
        turn = self._turn
        match method:
            case "turn/started":
                self._turn_id = _id_in(params, "turn") or self._turn_id
            case "item/started":
                turn.items[str(item.get("id"))] = item
                return [*started(item)]
            case "item/completed":
                return [*turn.completed(item)]
            case "item/agentMessage/delta":
                turn.add_text(str(params.get("itemId")), str(params.get("delta") or ""))
            case "thread/tokenUsage/updated":
                self._count(params.get("tokenUsage"))
            case "error":
                return [*turn.failed(params)]
            case "turn/completed":
                return self._ended(params)
            case _ if method in _REPORTED:
                return [raw("raw" if method == "garbage" else method, dict(params))]
        return []

    def _count(self, usage: Any) -> None:
        """The totals are those of the whole thread, also of what was before it was resumed."""
        found: Params = usage if isinstance(usage, Mapping) else {}
        total, last = found.get("total"), found.get("last")
        if isinstance(total, Mapping) and isinstance(last, Mapping):
            if self._used is None:
                self._used = Counter(total)
                self._used.subtract(last)
            self._turn.usage = usage_of(Counter(total) - self._used)
            self._total = Counter(total)

    def _ended(self, params: Params) -> list[AgentEvent | TurnEnd]:
        found = params.get("turn")
        ended: Params = found if isinstance(found, Mapping) else {}
        usage, unsaid = self._turn.usage, self._turn.unsaid()
        if self._is_interrupted or ended.get("status") == "interrupted":
            end = TurnEnd(success=False, reason="stopped", error="Interrupted", usage=usage)
        elif ended.get("status") == "completed":
            end = TurnEnd(success=True, usage=usage)
        else:
            text = _error_text(ended.get("error")) or self._turn.error or "Codex turn failed"
            end = TurnEnd(success=False, error=text, is_alive=False, usage=usage)
        return [*unsaid, end]

    async def _asked(self, key: str, method: str, params: Params) -> dict[str, Any]:
        match method:
            case "item/commandExecution/requestApproval":
                given = command_of(params, "reason", "threadId", "turnId")
                return {"decision": await self._decided(key, "Bash", given, params)}
            case "item/fileChange/requestApproval":
                given = {name: params.get(name) for name in ("grantRoot", "reason")}
                given |= self._changes_of(params)
                return {"decision": await self._decided(key, "Write", given, params)}
            case "mcpServer/elicitation/request":
                return await self._elicited(key, params)
        raise Unsupported(method)

    def _changes_of(self, params: Params) -> dict[str, Any]:
        """What is to be changed, so that a rule or a person need not allow everything."""
        changes = self._turn.items.get(str(params.get("itemId")), {}).get("changes")
        if not isinstance(changes, list) or not changes:
            return {}
        first = changes[0].get("path") if isinstance(changes[0], Mapping) else None
        return {"changes": changes} | ({"file_path": first} if len(changes) == 1 else {})

    async def _elicited(self, key: str, params: Params) -> dict[str, Any]:
        """Whether a tool of an MCP server may be used; forms to fill in are not for agents."""
        meta = params.get("_meta")
        about: Params = meta if isinstance(meta, Mapping) else {}
        if about.get("codex_approval_kind") != "mcp_tool_call":
            raise Unsupported("mcpServer/elicitation/request")
        given = about.get("tool_params")
        item = self._turn.mcp_call(params.get("serverName"), given)
        name = f"mcp__{params.get('serverName')}__{item.get('tool') or 'unknown'}"
        shown = given if isinstance(given, Mapping) else {}
        decision = await self._decided(key, name, shown, {**params, "itemId": item.get("id")})
        return {"action": decision, "content": {} if decision == "accept" else None}

    async def _decided(self, key: str, tool: str, given: Params, params: Params) -> str:
        """A withdrawn question is a refusal; Codex has no place for the reason of one."""
        use_id = params.get("itemId")
        request = PermissionRequest(
            # The program counts from 0 each time that it starts.
            request_id=f"{use_id or self._turn_id}-{key}",
            tool_name=tool,
            input=given,
            tool_use_id=use_id if isinstance(use_id, str) else None,
        )
        decision: Decision = await self._options.ask(request)
        return "accept" if decision.behavior == "allow" else "decline"


class _TurnState:
    """What was gathered of one turn."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.error: str | None = None
        self.items: dict[str, Params] = {}
        self._texts: dict[str, str] = {}

    def completed(self, item: Params) -> list[AgentEvent]:
        self._texts.pop(str(item.get("id")), None)
        self.items.pop(str(item.get("id")), None)
        return completed(item)

    def add_text(self, item_id: str, text: str) -> None:
        self._texts[item_id] = self._texts.get(item_id, "") + text

    def mcp_call(self, server: Any, given: Any) -> Params:
        """The call that is meant by a question which names only the server and the arguments."""
        for item in reversed(self.items.values()):
            if item.get("server") == server and item.get("arguments") == given:
                return item
        return {}

    def unsaid(self) -> list[AgentEvent]:
        """Messages that began and were never completed."""
        return [said(text) for text in self._texts.values() if text.strip()]

    def failed(self, params: Params) -> list[AgentEvent]:
        """The turn's end tells a failure again; one that is tried again is worth a note."""
        self.error = _error_text(params.get("error"))
        return [raw("error_retry", dict(params))] if params.get("willRetry") is True else []


def _error_text(error: Any) -> str | None:
    if not isinstance(error, Mapping) or not error.get("message"):
        return None
    details = error.get("additionalDetails")
    return f"{error['message']}: {details}" if details else str(error["message"])


def _id_in(answer: Params, name: str) -> str | None:
    found = answer.get(name)
    key = found.get("id") if isinstance(found, Mapping) else None
    return key if isinstance(key, str) else None
