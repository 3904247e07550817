"""Agents, for plugins that show who wrote something."""

from collections.abc import Sequence
from typing import Protocol

from kombuse_sdk.storage import ReadTx

__all__ = ["Agents"]


class Agents(Protocol):
    def types(self, tx: ReadTx, agent_ids: Sequence[str]) -> dict[str, str | None]:
        """The `type` of the configuration of each of these agents that exists."""
        ...

    def of_types(self, tx: ReadTx, types: Sequence[str]) -> list[str]:
        """The ids of the agents whose configuration has one of these types."""
        ...
