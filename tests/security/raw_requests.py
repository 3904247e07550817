"""Requests as raw as ASGI and TCP allow, with headers that no client library would send."""

import re
import socket
from collections.abc import Sequence
from typing import Any

__all__ = ["Header", "ask", "connect_websocket", "routes", "send_bytes"]

Header = tuple[bytes, bytes]


def routes(app: Any) -> list[tuple[str, str]]:
    """(method, path) of everything that the application serves, parameters filled in."""
    kernel_paths = [("GET", "/"), ("GET", "/health"), ("GET", "/openapi.json")]
    mounts = [
        (method, mount.path)
        for _, mount in app.kernel.offers("kombuse_mounts")
        for method in ("GET", "POST", "DELETE")
    ]
    api = [(method, re.sub(r"\{[^}]*\}", "1", path)) for method, path in app.paths]
    return [*kernel_paths, *mounts, *api, ("GET", "/nowhere"), ("GET", "/ws")]


def scope(kind: str, method: str, path: str, headers: Sequence[Header]) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 3331),
    }


async def ask(
    app: Any, method: str, path: str, headers: Sequence[Header], body: bytes = b""
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer."""
    sent: list[Any] = []
    asked = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        return asked.pop() if asked else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope("http", method, path, headers), receive, send)
    answered = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(message["body"] for message in sent[1:])


async def connect_websocket(app: Any, path: str, headers: Sequence[Header]) -> list[str]:
    """The types of messages that the application sent until it was done."""
    sent: list[str] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await app(scope("websocket", "GET", path, headers), receive, send)
    return sent


def send_bytes(port: int, request: bytes) -> bytes:
    """The first bytes of the answer of a real server."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return connection.recv(65536)
