"""The ASGI application at /mcp: what HTTP has to be said, before the official SDK takes over."""

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from kombuse_sdk.types import Kernel

if TYPE_CHECKING:
    from kombuse_plugins.mcp.server import McpServer

__all__ = ["MAX_BODY", "Endpoint"]

MAX_BODY = 1024 * 1024
_SERVER_ERROR = -32000
_INVALID_REQUEST = -32600
_PARSE_ERROR = -32700


class Endpoint:
    """Stateless: no session is begun, so there is none to end and no stream to listen to.

    The SDK is imported by the first request, in a thread, so that it delays no start.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._loading = threading.Lock()
        self._server: McpServer | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        match scope["method"]:
            case "POST":
                await self._post(scope, receive, send)
            case "DELETE":
                await _respond(send, 200)
            case "OPTIONS":
                await _respond(send, 204)
            case _:
                await _refuse(send, 405, _SERVER_ERROR, "Method not allowed.")

    async def _post(self, scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
        if kind != b"application/json":
            message = "Unsupported Media Type: Content-Type must be application/json"
            await _refuse(send, 415, _SERVER_ERROR, message)
            return
        body = await _read(receive)
        if body is None:
            message = f"Request body is too large, at most {MAX_BODY} bytes"
            await _refuse(send, 413, _INVALID_REQUEST, message)
            return
        problem = _problem(body)
        if problem is not None:
            await _refuse(send, 400, *problem)
            return
        if b"accept" not in headers:
            scope = {**scope, "headers": [*scope["headers"], (b"accept", b"application/json")]}
        server = await asyncio.to_thread(self._load) if self._server is None else self._server
        await server(scope, _replaying(body, receive), send)

    def _load(self) -> "McpServer":
        with self._loading:
            if self._server is None:
                from kombuse_plugins.mcp.server import McpServer

                self._server = McpServer(self._kernel)
            return self._server


async def _read(receive: Any) -> bytes | None:
    """The whole body; None if it is too large. What is left then is not read."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


def _problem(body: bytes) -> tuple[int, str] | None:
    """Code and message for what is no JSON-RPC message, which the SDK would explain at length."""
    try:
        message = from_json(body)
    except ValueError as error:
        return _PARSE_ERROR, f"Parse error: {error}"
    if isinstance(message, list):
        return _INVALID_REQUEST, "Batches are not supported"
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        return _INVALID_REQUEST, "Invalid JSON-RPC message"
    return None


def _replaying(body: bytes, receive: Any) -> Any:
    first = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return first.pop() if first else await receive()

    return replay


async def _refuse(send: Any, status: int, code: int, message: str) -> None:
    error = {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": None}
    await _respond(send, status, json.dumps(error).encode())


async def _respond(send: Any, status: int, body: bytes = b"") -> None:
    headers = [(b"content-length", str(len(body)).encode())] if status != 204 else []
    if body:
        headers.append((b"content-type", b"application/json"))
    if status in (204, 405):
        headers.append((b"allow", b"POST, DELETE, OPTIONS"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
