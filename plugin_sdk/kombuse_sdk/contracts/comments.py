"""Comments, for plugins that show a ticket as a whole."""

from collections.abc import Sequence
from typing import Protocol

from kombuse_sdk.storage import ReadTx, Row

__all__ = ["Comments"]


class Comments(Protocol):
    def ticket_id(self, tx: ReadTx, comment_id: int) -> int | None:
        """The ticket of a comment; None when there is no such comment."""
        ...

    def activity(self, tx: ReadTx, ticket_id: int) -> list[Row]:
        """Per author: author_id, comment_count, first_commented_at, last_commented_at."""
        ...

    def page(
        self,
        tx: ReadTx,
        ticket_id: int,
        *,
        author_ids: Sequence[str] | None,
        actor_types: Sequence[str] | None,
        limit: int,
        offset: int,
    ) -> tuple[list[Row], int]:
        """Comments of a ticket, newest first, and how many there are in all.

        Rows hold the comment's columns and `actor_type`.
        """
        ...

    def timeline_sql(self) -> str:
        """SELECT of (at, rank, id, item) for `:ticket_id`; item is JSON text of a timeline item."""
        ...
