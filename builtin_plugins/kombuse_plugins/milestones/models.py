"""The milestones table, without the counters that triggers keep."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["MilestoneRow"]


class MilestoneRow(Table, table=True):
    __tablename__ = "milestones"
    metadata = MetaData()

    id: int | None = Field(default=None, primary_key=True)
    project_id: str
    title: str
    description: str | None
    due_date: str | None
    status: str = "open"
    created_at: str
    updated_at: str
