"""The attachments table."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["AttachmentRow"]


class AttachmentRow(Table, table=True):
    __tablename__ = "attachments"
    metadata = MetaData()

    id: int | None = Field(default=None, primary_key=True)
    comment_id: int | None
    ticket_id: int | None
    owner_ticket_id: int
    filename: str
    mime_type: str
    size_bytes: int
    storage_path: str
    uploaded_by_id: str
    created_at: str
