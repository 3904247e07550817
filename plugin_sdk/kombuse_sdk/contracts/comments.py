"""Comments, for plugins that show a ticket as a whole."""

from collections.abc import Sequence
from typing import ClassVar, Protocol

from kombuse_sdk.contracts.tickets import TicketRef
from kombuse_sdk.schemas import Output
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = ["Comment", "Comments"]


class Comment(Output):
    """A comment, without what plugins join to it (its author, ...)."""

    joined_kind: ClassVar[str] = "comment"

    id: int
    ticket_id: int
    author_id: str
    parent_id: int | None
    kombuse_session_id: str | None
    body: str
    external_source: str | None
    external_id: str | None
    synced_at: str | None
    is_edited: bool
    created_at: str
    updated_at: str


class Comments(Protocol):
    def get(self, tx: ReadTx, comment_id: int) -> JsonText:
        """The comment as the API answers it, with all that plugins join to it; NotFound."""
        ...

    def add(
        self,
        tx: WriteTx,
        ticket: TicketRef,
        *,
        author_id: str,
        body: str,
        parent_id: int | None = None,
        kombuse_session_id: str | None = None,
        parse_mentions: bool = True,
    ) -> int:
        """Write a comment with its mentions and events; its id.

        Without `parse_mentions` what looks like a mention is mere text: for what no person and no
        agent meant to say to anybody.

        Raises Unprocessable for an unknown author and for a parent that is no comment of the
        ticket.
        """
        ...

    def edit(
        self, tx: WriteTx, comment_id: int, body: str | None, *, parse_mentions: bool = True
    ) -> JsonText:
        """Replace the text of a comment, the same text changes nothing; NotFound."""
        ...

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
        agent_ids: Sequence[str] | None = None,
        limit: int,
        offset: int,
    ) -> tuple[list[Row], int]:
        """Comments of a ticket, newest first, and how many there are in all with these filters.

        `agent_ids` restricts authors of type agent to those ids; users are not concerned. Rows hold
        the comment's columns and `actor_type`.
        """
        ...

    def timeline_sql(self, tx: ReadTx) -> str:
        """SELECT of (at, rank, id, item) for `:ticket_id`; item is JSON text of a timeline item.

        The rank is 0. The item is `{"type": "comment", "timestamp": created_at, "data": Comment}`,
        the comment with all that plugins join to it.
        """
        ...

    def matching_sql(self) -> str:
        """SELECT of the ticket_id of every comment that matches the FTS5 query `:match`.

        A ticket may come several times, in any order. The index is called comments_fts, tokenizer
        `porter unicode61`, `prefix='1 2'`, re-indexed only when a body changes.
        """
        ...

    def matching_among_sql(self, tickets: str) -> str:
        """`matching_sql` for the tickets of a bare subquery of ids only (a thousand, say).

        Asked when a hundred thousand comments match. So it is one pass over the matches that keeps
        those of the given tickets, and never reads the row of each match: `SELECT (the ticket_id of
        rowid) FROM comments_fts WHERE comments_fts MATCH :match AND +comments_fts.rowid IN (SELECT
        id FROM comments WHERE ticket_id IN (tickets))`.
        """
        ...

    def snippets_sql(self, tickets: str) -> str:
        """SELECT of (ticket_id, snippet, is_whole): of each ticket the best matching comment.

        The same subquery and way as `matching_among_sql`; the snippet is that of FTS5 with the
        markers `«` and `»`, the ellipsis `…` and at most 64 tokens; of a text of more than 20,000
        characters, for which that takes too long, it is the whole, without markers.
        """
        ...
