"""The labels table. `ticket_labels` has no row class: its key has two columns."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["LabelRow"]


class LabelRow(Table, table=True):
    __tablename__ = "labels"
    metadata = MetaData()

    id: int | None = Field(default=None, primary_key=True)
    project_id: str
    name: str
    slug: str | None
    color: str
    description: str | None
    plugin_id: str | None
    is_enabled: bool = True
    disabled_by_plugin: bool = False
    created_at: str
