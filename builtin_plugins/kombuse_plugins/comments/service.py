"""Rules of comments; the provider of the Comments contract."""

from collections.abc import Sequence
from typing import Any

from kombuse_plugins.comments import notices, queries
from kombuse_plugins.comments.models import CommentRow
from kombuse_plugins.comments.notices import Source
from kombuse_plugins.comments.queries import (
    activity,
    matching_among_sql,
    matching_sql,
    snippets_sql,
    ticket_id,
    timeline_sql,
)
from kombuse_sdk.contracts import Profiles, TicketRef, Tickets
from kombuse_sdk.errors import NotFound, Unprocessable
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = [
    "activity",
    "add",
    "delete",
    "edit",
    "get",
    "matching_among_sql",
    "matching_sql",
    "mentions",
    "page",
    "snippets_sql",
    "ticket_id",
    "timeline_sql",
]


def get(tx: ReadTx, comment_id: int) -> JsonText:
    return NotFound.unless(queries.one(tx, comment_id), "Comment")


def mentions(tx: ReadTx, comment_id: int) -> JsonText:
    if queries.ticket_id(tx, comment_id) is None:
        raise NotFound("Comment not found")
    return queries.mentions(tx, comment_id)


def add(
    tx: WriteTx,
    ticket: TicketRef,
    *,
    author_id: str,
    body: str,
    parent_id: int | None = None,
    kombuse_session_id: str | None = None,
    external_source: str | None = None,
    external_id: str | None = None,
    parse_mentions: bool = True,
) -> int:
    author_type = tx.services.get(Profiles).require(tx, author_id, "author_id")
    if parent_id is not None:
        _require_parent(tx, ticket, parent_id)
    comment_id: int = tx.insert(
        CommentRow,
        ticket_id=ticket.id,
        author_id=author_id,
        parent_id=parent_id,
        kombuse_session_id=kombuse_session_id,
        external_source=external_source,
        external_id=external_id,
        created_at=tx.now,
        updated_at=tx.now,
        body=body,
    )
    source = Source(
        id=comment_id,
        ticket=ticket,
        author_id=author_id,
        author_type=author_type,
        body=body,
        kombuse_session_id=kombuse_session_id,
    )
    _note_activity(tx, source)
    if parse_mentions:
        notices.announce_mentions(tx, source)
    payload = {"comment_id": comment_id, "ticket_id": ticket.id} | _author(source)
    notices.emit(tx, "comment.added", source, payload, comment_id=comment_id)
    return comment_id


def edit(
    tx: WriteTx, comment_id: int, body: str | None, *, parse_mentions: bool = True
) -> JsonText:
    """The same text changes nothing. Profiles that the new text mentions are not told."""
    row = _require_row(tx, comment_id)
    if body is not None and body != row["body"]:
        source = _source(tx, row, body)
        tx.update(CommentRow, comment_id, body=body, is_edited=True, updated_at=tx.now)
        _note_activity(tx, source)
        if parse_mentions:
            notices.renew_mentions(tx, source)
        payload = {"comment_id": comment_id} | _author(source)
        notices.emit(tx, "comment.edited", source, payload, comment_id=comment_id)
    return get(tx, comment_id)


def delete(tx: WriteTx, comment_id: int) -> None:
    """The event comes first: who reacts to it still finds the comment and what hangs on it."""
    row = _require_row(tx, comment_id)
    source = _source(tx, row, row["body"])
    payload = {"comment_id": comment_id, "ticket_id": source.ticket.id}
    notices.emit(tx, "comment.deleted", source, payload)
    tx.delete(CommentRow, comment_id)


def page(
    tx: ReadTx,
    ticket_id: int,
    *,
    author_ids: Sequence[str] | None,
    actor_types: Sequence[str] | None,
    agent_ids: Sequence[str] | None = None,
    limit: int,
    offset: int,
) -> tuple[list[Row], int]:
    return queries.digest(tx, ticket_id, author_ids, actor_types, agent_ids, limit, offset)


def _require_parent(tx: ReadTx, ticket: TicketRef, parent_id: int) -> None:
    parent_ticket_id = queries.ticket_id(tx, parent_id)
    if parent_ticket_id is None:
        raise Unprocessable.reference("parent_id", "comment")
    if parent_ticket_id != ticket.id:
        raise Unprocessable("parent_id does not reference a comment of this ticket")


def _require_row(tx: ReadTx, comment_id: int) -> Row:
    return NotFound.unless(queries.row(tx, comment_id), "Comment")


def _source(tx: ReadTx, row: Row, body: str) -> Source:
    ticket = tx.services.get(Tickets).by_id(tx, row["ticket_id"])
    assert ticket is not None
    return Source(
        id=row["id"],
        ticket=ticket,
        author_id=row["author_id"],
        author_type=row["actor_type"],
        body=body,
        kombuse_session_id=row["kombuse_session_id"],
    )


def _note_activity(tx: WriteTx, source: Source) -> None:
    tickets = tx.services.get(Tickets)
    tickets.touch(tx, source.ticket.id)
    tickets.mark_viewed(tx, source.ticket.id, source.author_id)


def _author(source: Source) -> dict[str, Any]:
    return {"author_type": source.author_type, "author_id": source.author_id}
