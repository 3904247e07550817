"""Requests that the server makes of itself, without the network."""

import asyncio
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from kombuse_sdk.types import Kernel

__all__ = ["Fetched", "fetch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    status: int
    content_type: str
    body: bytes


async def fetch(kernel: Kernel, path: str, query: str) -> Fetched:
    """GET; `path` and `query` are escaped already, so that what they mean is left to the routes."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("ascii"),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1"), (b"accept", b"*/*"), *kernel.access.headers],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
    request = [{"type": "http.request", "body": b"", "more_body": False}]
    start: dict[str, Any] = {}
    body = bytearray()

    async def receive() -> dict[str, Any]:
        if not request:
            await asyncio.Event().wait()  # the caller never hangs up
        return request.pop()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            body.extend(message.get("body", b""))

    await kernel.app(scope, receive, send)
    headers = dict(start["headers"])
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    return Fetched(status=start["status"], content_type=content_type, body=bytes(body))
