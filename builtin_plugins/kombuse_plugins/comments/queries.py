"""Every SELECT over comments and mentions."""

import json
from collections.abc import Sequence

from kombuse_plugins.comments.schemas import TOP_LEVEL, CommentFilter, Mention
from kombuse_sdk.contracts.comments import Comment
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx, Row

__all__ = [
    "activity",
    "digest",
    "matching_among_sql",
    "matching_sql",
    "mentioned_tickets",
    "mentions",
    "one",
    "page",
    "row",
    "snippets_sql",
    "ticket_id",
    "timeline_sql",
]

_WIRE = json_object(Comment, "c")
_MENTION = json_object(Mention, "m")
_ROW = """
    SELECT c.*, p.name AS author_name, p.type AS actor_type
    FROM comments c JOIN profiles p ON p.id = c.author_id
"""
_TICKET_OF_MATCH = "(SELECT c.ticket_id FROM comments c WHERE c.id = comments_fts.rowid)"


def _joined(tx: ReadTx) -> str:
    return tx.kernel.joins("comment").select(_WIRE)


def one(tx: ReadTx, comment_id: int) -> JsonText | None:
    return tx.json(f"SELECT {_joined(tx)} FROM comments c WHERE c.id = ?", (comment_id,))


def page(tx: ReadTx, ticket_id: int, query: CommentFilter) -> JsonText:
    """The plus keeps SQLite from indexes that would have to be sorted."""
    where = Where(params={"limit": query.limit, "offset": query.offset})
    where.equal("c.ticket_id", ticket_id=ticket_id)
    if query.author_id:
        where.equal("+c.author_id", author_id=query.author_id)
    if query.parent_id == TOP_LEVEL:
        where.add("+c.parent_id IS NULL")
    else:
        where.equal("+c.parent_id", parent_id=query.parent_id)
    joins = tx.kernel.joins("comment")
    given = query.given()
    joins.apply(where, given)
    sql = f"""
        SELECT {joins.select(_WIRE, given)} FROM comments c {where.sql}
        ORDER BY c.created_at, c.id LIMIT :limit OFFSET :offset
    """
    return tx.json_list(sql, where.params)


def timeline_sql(tx: ReadTx) -> str:
    return f"""
        SELECT c.created_at AS at, 0 AS rank, c.id AS id,
            '{{"type":"comment","timestamp":"' || c.created_at || '","data":'
            || {_joined(tx)} || '}}' AS item
        FROM comments c WHERE c.ticket_id = :ticket_id
    """


def matching_sql() -> str:
    return f"SELECT {_TICKET_OF_MATCH} FROM comments_fts WHERE comments_fts MATCH :match"


def matching_among_sql(tickets: str) -> str:
    return f"{matching_sql()} AND +comments_fts.rowid IN ({_comments_of(tickets)})"


def snippets_sql(tickets: str) -> str:
    """The ranks come first: FTS5 makes no snippets where rows are grouped."""
    return f"""
        WITH hits AS MATERIALIZED (
            SELECT comments_fts.rowid AS id, rank AS score FROM comments_fts
            WHERE comments_fts MATCH :match AND +comments_fts.rowid IN ({_comments_of(tickets)})
        ), best AS MATERIALIZED (
            SELECT hits.id, min(hits.score)
            FROM hits CROSS JOIN comments c ON c.id = hits.id GROUP BY c.ticket_id
        )
        SELECT {_TICKET_OF_MATCH} AS ticket_id,
            iif(length(body) > 20000, body, snippet(comments_fts, 0, '«', '»', '…', 64)) AS snippet,
            length(body) > 20000 AS is_whole
        FROM comments_fts
        WHERE comments_fts MATCH :match AND +comments_fts.rowid IN (SELECT id FROM best)
    """


def row(tx: ReadTx, comment_id: int) -> Row | None:
    """A comment's columns with `author_name` and `actor_type`."""
    return tx.one(f"{_ROW} WHERE c.id = ?", (comment_id,))


def ticket_id(tx: ReadTx, comment_id: int) -> int | None:
    found: int | None = tx.value("SELECT ticket_id FROM comments WHERE id = ?", (comment_id,))
    return found


def activity(tx: ReadTx, ticket_id: int) -> list[Row]:
    sql = """
        SELECT author_id, count(*) AS comment_count,
            min(created_at) AS first_commented_at, max(created_at) AS last_commented_at
        FROM comments WHERE ticket_id = ? GROUP BY author_id
        ORDER BY comment_count DESC, last_commented_at DESC, author_id
    """
    return tx.all(sql, (ticket_id,))


def digest(
    tx: ReadTx,
    ticket_id: int,
    author_ids: Sequence[str] | None,
    actor_types: Sequence[str] | None,
    agent_ids: Sequence[str] | None,
    limit: int,
    offset: int,
) -> tuple[list[Row], int]:
    where = Where(params={"limit": limit, "offset": offset})
    where.equal("c.ticket_id", ticket_id=ticket_id)
    for condition, name, values in (
        ("c.author_id IN ({})", "author_ids", author_ids),
        ("p.type IN ({})", "actor_types", actor_types),
        ("(p.type != 'agent' OR c.author_id IN ({}))", "agent_ids", agent_ids),
    ):
        if values is not None:
            given = f"SELECT value FROM json_each(:{name})"
            where.add(condition.format(given), **{name: json.dumps(values)})
    order = "ORDER BY c.created_at DESC, c.id DESC LIMIT :limit OFFSET :offset"
    rows = tx.all(f"{_ROW} {where.sql} {order}", where.params)
    total = tx.value(f"SELECT count(*) FROM ({_ROW} {where.sql})", where.params)
    return rows, total


def mentions(tx: ReadTx, comment_id: int) -> JsonText:
    sql = f"SELECT {_MENTION} FROM mentions m WHERE m.comment_id = ? ORDER BY m.id"
    return tx.json_list(sql, (comment_id,))


def mentioned_tickets(tx: ReadTx, comment_id: int) -> set[int]:
    sql = """
        SELECT mentioned_ticket_id FROM mentions WHERE comment_id = ? AND mention_type = 'ticket'
    """
    return set(tx.values(sql, (comment_id,)))


def _comments_of(tickets: str) -> str:
    return f"SELECT c.id FROM comments c WHERE c.ticket_id IN ({tickets})"
