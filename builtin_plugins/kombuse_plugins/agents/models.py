"""The agents table."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["AgentRow"]


class AgentRow(Table, table=True):
    """`permissions`, `config` and `plugin_base` are JSON text."""

    __tablename__ = "agents"
    metadata = MetaData()

    id: str = Field(primary_key=True)
    slug: str | None
    system_prompt: str
    permissions: str
    config: str
    is_enabled: bool = True
    plugin_id: str | None
    project_id: str | None
    plugin_base: str | None
    created_at: str
    updated_at: str
