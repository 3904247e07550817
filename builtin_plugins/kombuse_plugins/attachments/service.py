"""Rules of attachments; the provider of the Attachments contract."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request

from kombuse_plugins.attachments import queries, storage, trash, uploads
from kombuse_plugins.attachments.downloads import Download
from kombuse_plugins.attachments.models import AttachmentRow
from kombuse_sdk.contracts import Comments, Profiles, Tickets
from kombuse_sdk.errors import NotFound
from kombuse_sdk.events import StoredEvent
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx
from kombuse_sdk.types import Kernel

__all__ = [
    "Owner",
    "comment",
    "count",
    "delete",
    "download",
    "forget_comment",
    "forget_comment_soon",
    "get",
    "images_of_comments",
    "images_of_ticket",
    "ticket",
    "upload",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What a file hangs on: a ticket, or a comment of that ticket."""

    ticket_id: int
    comment_id: int | None = None


def ticket(tx: ReadTx, project_id: str, number: int) -> Owner:
    return Owner(ticket_id=tx.services.get(Tickets).require(tx, project_id, number).id)


def comment(tx: ReadTx, comment_id: int) -> Owner:
    comments = tx.services.find(Comments)
    ticket_id = NotFound.unless(comments.ticket_id(tx, comment_id) if comments else None, "Comment")
    return Owner(ticket_id=ticket_id, comment_id=comment_id)


async def upload(kernel: Kernel, request: Request, owner: Callable[[ReadTx], Owner]) -> JsonText:
    """Take the file of a request. `owner` is asked before the body is read, and again at the end.

    The file is announced, placed, then named by a row: what fails or dies in between is removed.
    """
    db = kernel.db
    folder = kernel.config.uploads
    await db.read_async(owner)
    async with uploads.receive(request, folder) as received:
        path = storage.new_storage_path(received.filename, timestamp())
        await db.write_async(lambda tx: trash.reserve(tx, path))
        try:
            await asyncio.to_thread(storage.place, received.path, folder, path)
            return await db.write_async(lambda tx: _add(tx, owner(tx), received, path))
        except Exception:
            await asyncio.to_thread(storage.remove, folder, path)
            raise


def _add(tx: WriteTx, owner: Owner, received: uploads.Upload, storage_path: str) -> JsonText:
    tx.services.get(Profiles).require(tx, received.uploaded_by_id, "uploaded_by_id")
    trash.release(tx, storage_path)
    attachment_id = tx.insert(
        AttachmentRow,
        comment_id=owner.comment_id,
        ticket_id=owner.ticket_id if owner.comment_id is None else None,
        owner_ticket_id=owner.ticket_id,
        filename=received.filename,
        mime_type=received.mime_type,
        size_bytes=received.size_bytes,
        storage_path=storage_path,
        uploaded_by_id=received.uploaded_by_id,
        created_at=tx.now,
    )
    return get(tx, attachment_id)


def get(tx: ReadTx, attachment_id: int) -> JsonText:
    return NotFound.unless(queries.one(tx, attachment_id), "Attachment")


def download(tx: ReadTx, attachment_id: int) -> Download:
    """The stored file. Raises NotFound for the row or for the file."""
    row = NotFound.unless(tx.get(AttachmentRow, attachment_id), "Attachment")
    file = storage.locate(tx.kernel.config.uploads, row.storage_path)
    if file is None:
        raise NotFound("File not found on disk")
    return Download(file, filename=row.filename, mime_type=row.mime_type)


def delete(tx: WriteTx, attachment_id: int) -> None:
    if not tx.delete(AttachmentRow, attachment_id):
        raise NotFound("Attachment not found")
    tx.after_commit(lambda: trash.empty(tx.kernel))


def forget_comment_soon(tx: WriteTx, event: StoredEvent) -> None:
    """Inside the transaction of the event the comment may still be there: look after it.

    Should that be lost, the durable subscriber does the same.
    """

    def forget() -> None:
        with tx.kernel.db.write() as later:
            forget_comment(later, event)

    tx.after_commit(forget)


def forget_comment(tx: WriteTx, event: StoredEvent) -> None:
    """Delete the files of a comment that is gone; the word of an event alone does not count."""
    comment_id = event.payload.get("comment_id")
    comments = tx.services.find(Comments)
    if isinstance(comment_id, int) and comments and comments.ticket_id(tx, comment_id) is None:
        tx.execute("DELETE FROM attachments WHERE comment_id = ?", (comment_id,))
        tx.after_commit(lambda: trash.empty(tx.kernel))


def count(tx: ReadTx, ticket_id: int) -> tuple[int, int]:
    return queries.count(tx, ticket_id)


def images_of_ticket(tx: ReadTx, ticket_id: int) -> list[Row]:
    return [_image(tx, row) for row in queries.images_of_ticket(tx, ticket_id)]


def images_of_comments(tx: ReadTx, comment_ids: Sequence[int]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in queries.images_of_comments(tx, comment_ids):
        found.setdefault(row["comment_id"], []).append(_image(tx, row))
    return found


def _image(tx: ReadTx, row: Row) -> Row:
    shown = {name: row[name] for name in ("id", "filename", "mime_type", "size_bytes")}
    return shown | {"file_path": str(tx.kernel.config.uploads / row["storage_path"])}
