"""Running a bound route: transaction, call, check against the response model, answer."""

from collections.abc import Callable
from typing import Any

from fastapi import Request
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import Response

from kombuse_kernel.database import SqliteDatabase
from kombuse_kernel.http.answers import Answer, json_answer
from kombuse_kernel.http.binding import Binding, Incoming
from kombuse_kernel.http.contract import checker
from kombuse_kernel.kernel import RunningKernel
from kombuse_sdk.errors import BadRequest, TooLarge, UnsupportedMediaType
from kombuse_sdk.sql import JsonText

__all__ = ["MAX_BODY", "RouteHandler"]

MAX_BODY = 1024 * 1024


class RouteHandler:
    """One route of one method. `model` None means an answer without a body."""

    def __init__(
        self, endpoint: Callable[..., Any], binding: Binding, status: int, model: Any
    ) -> None:
        self._endpoint = endpoint
        self._binding = binding
        self._status = status
        self._check = None if model is None else checker(model)

    async def __call__(
        self, kernel: RunningKernel, incoming: Incoming, content_type: bytes
    ) -> Answer | Response:
        binding = self._binding
        db = kernel.db
        if binding.body is not None:
            incoming.body = await _json_body(incoming, content_type)
        if binding.mode == "read":
            with db.read() as tx:
                arguments = binding.arguments(tx, incoming)
                arguments[binding.transaction or ""] = tx
                return self._answer(self._endpoint(**arguments))
        if binding.mode == "write" and binding.needs_lookup:
            return await self._write(db, lambda tx: binding.arguments(tx, incoming))
        if binding.needs_lookup:
            with db.read() as tx:
                arguments = binding.arguments(tx, incoming)
        else:
            arguments = binding.arguments(None, incoming)
        if binding.mode == "write":
            return await self._write(db, lambda tx: arguments)
        for name, what in binding.given:
            arguments[name] = {"db": db, "kernel": kernel}.get(what) or Request(
                dict(incoming.scope), incoming.receive
            )
        if binding.mode == "async":
            return self._answer(await self._endpoint(**arguments))
        return self._answer(self._endpoint(**arguments))

    async def _write(
        self, db: SqliteDatabase, bind: Callable[[Any], dict[str, Any]]
    ) -> Answer | Response:
        """The answer is checked inside the transaction: one that is wrong changes nothing.

        What has to be looked up first is looked up here as well: a reader would have to find out
        anew, after every write, what is in its pages.
        """
        name = self._binding.transaction or ""

        def work(tx: Any) -> Answer | Response:
            return self._answer(self._endpoint(**bind(tx), **{name: tx}))

        return await db.write_async(work)

    def _answer(self, value: Any) -> Answer | Response:
        if isinstance(value, Response):
            return value
        if self._check is None:
            return Answer(self._status)
        if isinstance(value, JsonText):
            self._check(value.data)
            answer = json_answer(value.data, self._status)
            answer.headers += value.headers
            return answer
        body = to_json(value.model_dump() if isinstance(value, BaseModel) else value)
        self._check(body)
        answer = json_answer(body, self._status)
        answer.headers.append((b"cache-control", b"no-store"))
        return answer


async def _json_body(incoming: Incoming, content_type: bytes) -> bytes:
    """At most 1 MiB of `application/json`; empty only without that content type."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await incoming.receive()
        if message["type"] == "http.disconnect":
            raise BadRequest("The request ended early")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY:
            raise TooLarge("Request body is too large")
        if not message.get("more_body", False):
            break
    body = b"".join(parts)
    kind = content_type.split(b";")[0].strip().lower()
    is_json = kind == b"application/json" or kind.endswith(b"+json")
    if body and not is_json:
        raise UnsupportedMediaType("Content-Type must be application/json")
    if not body and is_json:
        raise BadRequest("Body cannot be empty when Content-Type is application/json")
    return body
