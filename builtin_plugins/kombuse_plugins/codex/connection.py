"""JSON-RPC with `codex app-server`: one JSON object a line, without the member `jsonrpc`."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from kombuse_sdk.process import MOST_GARBAGE, ChildProcess, LineTooLong, NoMessages

__all__ = ["Connection", "RequestFailed", "Unsupported"]

_SECONDS = 30.0
_LAST_SECONDS = 1.0
_UNKNOWN_METHOD = -32601
OnRequest = Callable[[str, str, Mapping[str, Any]], Awaitable[dict[str, Any]]]
OnNotification = Callable[[str, Mapping[str, Any]], Awaitable[None]]


class RequestFailed(Exception):
    """The program answered with an error, too late, or not at all."""


class Unsupported(Exception):
    """A request of the program that we cannot answer."""


class Connection:
    """`on_request(id, method, params)` is awaited in a task of its own, for a person may decide.

    What it returns is the answer; Unsupported makes an error. `on_notification` is awaited in
    order, and holds the program up. `on_end` is told once what happened to the program.
    """

    def __init__(
        self,
        child: ChildProcess,
        on_request: OnRequest,
        on_notification: OnNotification,
        on_end: Callable[[str], Awaitable[None]],
    ) -> None:
        self._child = child
        self._on_request = on_request
        self._on_notification = on_notification
        self._on_end = on_end
        self._last_id = 0
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._end: str | None = None
        self._garbage = 0
        self._reading = asyncio.create_task(self._read())

    @property
    def has_ended(self) -> bool:
        return self._end is not None

    async def request(
        self, method: str, params: Mapping[str, Any], seconds: float = _SECONDS
    ) -> Mapping[str, Any]:
        """Its result. Raises RequestFailed."""
        if self._end is not None:
            raise RequestFailed(self._end)
        self._last_id += 1
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[self._last_id] = answer
        key = self._last_id
        try:
            async with asyncio.timeout(seconds):
                await self._send({"id": key, "method": method, "params": params})
                reply = await answer
        except TimeoutError:
            raise RequestFailed(f"Codex request timed out: {method}") from None
        finally:
            self._pending.pop(key, None)
        if isinstance(error := reply.get("error"), Mapping):
            text = f"{method} failed ({error.get('code')}): {error.get('message')}"
            raise RequestFailed(text)
        result = reply.get("result")
        return result if isinstance(result, Mapping) else {}

    async def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        await self._send({"method": method} | ({} if params is None else {"params": params}))

    def withdraw(self) -> None:
        """Cancel what is being asked; the program is told nothing."""
        for task in list(self._asking.values()):
            task.cancel()

    async def close(self, patience: float) -> None:
        self.withdraw()
        await self._child.end(patience=patience)
        await asyncio.wait({self._reading}, timeout=_LAST_SECONDS)
        self._reading.cancel()
        await self._finish("Codex was closed")

    async def _send(self, message: Mapping[str, Any]) -> None:
        try:
            await self._child.write(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise RequestFailed(self._end or f"Codex takes no input: {error}") from None

    async def _read(self) -> None:
        try:
            async for line in self._child.lines():
                await self._take(line)
        except (LineTooLong, NoMessages) as error:
            await self._finish(f"Codex printed {error}")
            return
        code = await self._child.wait()
        end = f"Codex process exited with code {code}\n{self._child.stderr[-500:]}".rstrip()
        hint = "\nIs node missing, or the codex program itself?" if code == 127 else ""
        await self._finish(end + hint)

    async def _finish(self, end: str) -> None:
        """The first reason counts."""
        if self._end is not None:
            return
        self._end = end
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(RequestFailed(end))
        self.withdraw()
        await self._on_end(end)

    async def _take(self, line: bytes) -> None:
        message = _object(line)
        self._garbage = 0 if message or not line.strip() else self._garbage + 1
        if self._garbage > MOST_GARBAGE:
            raise NoMessages
        method, key = message.get("method"), message.get("id")
        params = message.get("params")
        given: Mapping[str, Any] = params if isinstance(params, Mapping) else {}
        if isinstance(method, str) and key is not None:
            task = asyncio.create_task(self._answer(key, method, given))
            self._asking[str(key)] = task
            task.add_done_callback(lambda _: self._asking.pop(str(key), None))
        elif method == "serverRequest/resolved":
            # Somebody else answered, or the turn was interrupted.
            if asking := self._asking.get(str(given.get("requestId"))):
                asking.cancel()
        elif isinstance(method, str):
            await self._on_notification(method, given)
        elif isinstance(key, int) and (answer := self._pending.get(key)) and not answer.done():
            answer.set_result(message)
        elif not message and line.strip():
            content = line.decode(errors="replace")[:2000]
            await self._on_notification("garbage", {"content": content})

    async def _answer(self, key: Any, method: str, params: Mapping[str, Any]) -> None:
        try:
            answer: dict[str, Any] = {"result": await self._on_request(str(key), method, params)}
        except Unsupported:
            text = f"Unsupported Codex server request: {method}"
            answer = {"error": {"code": _UNKNOWN_METHOD, "message": text}}
        try:
            await self._send({"id": key, **answer})
        except RequestFailed:
            pass


def _object(line: bytes) -> Mapping[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}
