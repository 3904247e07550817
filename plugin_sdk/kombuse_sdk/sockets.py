"""Messages of clients at /ws, for plugins that serve them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

__all__ = ["Client", "SocketMessage"]


class Client(Protocol):
    """One connected client."""

    @property
    def id(self) -> str: ...

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message for this client alone. From any thread; never blocks."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketMessage:
    """A message type that the plugin serves.

    `name` is its `type` on the wire. `handle` runs on the server's event loop; SDK errors that it
    raises are answered to the sender as `{"type": "error", "message": ...}`. The messages of one
    client are handled one after the other. `model` is given the whole message; one of more than
    `max_size` bytes is refused (no message can have more than 16 MiB).
    """

    name: str
    model: type[BaseModel]
    handle: Callable[[Client, Any], Awaitable[None]]
    max_size: int = 1024 * 1024
