"""Live messages to connected clients."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

__all__ = ["Greetings", "Live"]


class Live(Protocol):
    def publish(
        self, topics: Sequence[str], message: Mapping[str, Any], *, sender: str | None = None
    ) -> None:
        """Send a message once to each client that subscribes to any of the topics.

        `sender` names a client that gets it in any case. From any thread; never blocks.
        """
        ...


class Greetings(Protocol):
    def greet(self, topic: str, greeting: Callable[[], Mapping[str, Any] | None]) -> None:
        """Send a message, if there is one, to each client when it subscribes to the topic.

        `greeting` is called on the server's loop, and must be quick.
        """
        ...
