"""Live messages to connected clients."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

__all__ = ["Live"]


class Live(Protocol):
    def publish(
        self, topics: Sequence[str], message: Mapping[str, Any], *, sender: str | None = None
    ) -> None:
        """Send a message once to each client that subscribes to any of the topics.

        `sender` names a client that gets it in any case. From any thread; never blocks.
        """
        ...
