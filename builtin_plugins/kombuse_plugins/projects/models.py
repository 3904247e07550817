"""The projects table."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["ProjectRow"]


class ProjectRow(Table, table=True):
    __tablename__ = "projects"
    metadata = MetaData()

    id: str = Field(primary_key=True)
    name: str
    slug: str
    description: str | None
    owner_id: str
    local_path: str | None
    repo_source: str | None
    repo_owner: str | None
    repo_name: str | None
    created_at: str
    updated_at: str
    next_ticket_number: int = 1
    search_text: str
