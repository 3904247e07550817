"""Clients of /ws over the network."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

from kombuse_sdk.processes import ServerProcess

__all__ = ["Socket", "open_socket"]

_SECONDS = 10


class Socket:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, message: Any) -> None:
        """An object as JSON, text and bytes as they are."""
        is_raw = isinstance(message, str | bytes)
        self.connection.send(message if is_raw else json.dumps(message))

    def receive(self) -> Any:
        return json.loads(self.connection.recv(timeout=_SECONDS))

    def ask(self, message: Any) -> Any:
        self.send(message)
        return self.receive()

    def subscribe(self, *topics: str) -> None:
        answer = self.ask({"type": "subscribe", "topics": topics})
        assert answer == {"type": "subscribed", "topics": list(topics)}

    def rest(self) -> list[Any]:
        """All that was sent to us up to now: what comes before the answer to a ping."""
        self.send({"type": "ping"})
        found = []
        while (message := self.receive()) != {"type": "pong"}:
            found.append(message)
        return found


@contextmanager
def open_socket(server: ServerProcess | int, **options: Any) -> Iterator[Socket]:
    """A connection of the person to a server, or of anybody to a port of this machine."""
    port = server if isinstance(server, int) else server.port
    headers = {} if isinstance(server, int) else server.headers
    settings: dict[str, Any] = {
        "additional_headers": headers,
        "open_timeout": _SECONDS,
        "close_timeout": 1,
        "compression": None,
        "proxy": None,
    }
    with connect(f"ws://127.0.0.1:{port}/ws", **settings | options) as connection:
        yield Socket(connection)
