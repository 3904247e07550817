"""Every SELECT over attachments."""

from collections.abc import Sequence

from kombuse_plugins.attachments.schemas import Attachment, AttachmentFilter
from kombuse_sdk.sql import JsonText, Where, json_object, placeholders
from kombuse_sdk.storage import ReadTx, Row

__all__ = ["count", "images_of_comments", "images_of_ticket", "one", "page", "trash"]

_ATTACHMENT = json_object(Attachment, "a")
_IMAGE = "a.id, a.comment_id, a.filename, a.mime_type, a.size_bytes, a.storage_path"
_IS_IMAGE = "a.mime_type LIKE 'image/%'"


def one(tx: ReadTx, attachment_id: int) -> JsonText | None:
    return tx.json(f"SELECT {_ATTACHMENT} FROM attachments a WHERE a.id = ?", (attachment_id,))


def page(
    tx: ReadTx,
    query: AttachmentFilter,
    *,
    ticket_id: int | None = None,
    comment_id: int | None = None,
) -> JsonText:
    """Files of one ticket (not of its comments) or of one comment, oldest first."""
    where = Where(params={"limit": query.limit, "offset": query.offset})
    where.equal("a.ticket_id", ticket_id=ticket_id)
    where.equal("a.comment_id", comment_id=comment_id)
    where.equal("a.uploaded_by_id", uploaded_by_id=query.uploaded_by_id)
    sql = f"""
        SELECT {_ATTACHMENT} FROM attachments a {where.sql}
        ORDER BY a.created_at, a.id LIMIT :limit OFFSET :offset
    """
    return tx.json_list(sql, where.params)


def count(tx: ReadTx, ticket_id: int) -> tuple[int, int]:
    sql = f"""
        SELECT count(*) AS total, ifnull(sum({_IS_IMAGE}), 0) AS images
        FROM attachments a WHERE a.ticket_id = ?
    """
    row = tx.one(sql, (ticket_id,))
    assert row is not None
    return row["total"], row["images"]


def images_of_ticket(tx: ReadTx, ticket_id: int) -> list[Row]:
    sql = f"""
        SELECT {_IMAGE} FROM attachments a WHERE a.ticket_id = ? AND {_IS_IMAGE}
        ORDER BY a.created_at, a.id
    """
    return tx.all(sql, (ticket_id,))


def images_of_comments(tx: ReadTx, comment_ids: Sequence[int]) -> list[Row]:
    sql = f"""
        SELECT {_IMAGE} FROM attachments a
        WHERE a.comment_id IN ({placeholders(comment_ids)}) AND {_IS_IMAGE}
        ORDER BY a.created_at, a.id
    """
    return tx.all(sql, comment_ids)


def trash(tx: ReadTx) -> list[str]:
    """Paths of files that may be removed now."""
    sql = "SELECT storage_path FROM attachment_trash WHERE ifnull(keep_until, '') <= ?"
    return tx.values(sql, (tx.now,))
