"""Loop protection: whether a ticket has been run by agents too often."""

from typing import Protocol

__all__ = ["LoopProtection"]


class LoopProtection(Protocol):
    def tripped_sql(self) -> str:
        """SQL over the row `t` of tickets that yields the text `true` or `false`, now."""
        ...
