"""The tables of comments and of what they mention."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["CommentRow", "MentionRow"]

_metadata = MetaData()


class CommentRow(Table, table=True):
    __tablename__ = "comments"
    metadata = _metadata

    id: int | None = Field(default=None, primary_key=True)
    ticket_id: int
    author_id: str
    parent_id: int | None
    kombuse_session_id: str | None
    external_source: str | None
    external_id: str | None
    synced_at: str | None
    is_edited: bool = False
    created_at: str
    updated_at: str
    body: str


class MentionRow(Table, table=True):
    __tablename__ = "mentions"
    metadata = _metadata

    id: int | None = Field(default=None, primary_key=True)
    comment_id: int
    mention_type: str
    mentioned_profile_id: str | None
    mentioned_ticket_id: int | None
    mention_text: str
    created_at: str
