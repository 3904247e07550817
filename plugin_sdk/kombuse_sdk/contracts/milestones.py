"""Milestones, for plugins that assign tickets to them."""

from typing import Protocol

from kombuse_sdk.storage import ReadTx

__all__ = ["Milestones"]


class Milestones(Protocol):
    def belongs_to(self, tx: ReadTx, milestone_id: int, project_id: str) -> bool:
        """Whether there is such a milestone, open or closed, in the project."""
        ...
