"""Wire shapes of attachments."""

from pydantic import Field

from kombuse_sdk.schemas import Limit, Offset, Output, Query

__all__ = ["Attachment", "AttachmentFilter"]


class Attachment(Output):
    """A file of a ticket or of a comment."""

    id: int
    comment_id: int | None
    ticket_id: int | None
    filename: str
    mime_type: str
    size_bytes: int
    storage_path: str = Field(description="Relative to the uploads folder")
    uploaded_by_id: str
    created_at: str


class AttachmentFilter(Query):
    uploaded_by_id: str | None = None
    limit: Limit = 50
    offset: Offset = 0
