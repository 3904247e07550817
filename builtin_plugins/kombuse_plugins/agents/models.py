"""The agents table."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["AgentRow"]


class AgentRow(Table, table=True):
    """`permissions`, `config`, `plugin_base` and `adopted_from` are JSON text."""

    __tablename__ = "agents"
    metadata = MetaData()

    id: str = Field(primary_key=True)
    slug: str | None
    system_prompt: str
    permissions: str
    config: str
    is_enabled: bool = True
    disabled_by_plugin: bool = False
    plugin_id: str | None
    plugin_name: str | None
    package_slug: str | None
    orphaned_plugin_id: str | None
    project_id: str | None
    plugin_base: str | None
    adopted_from: str | None
    created_at: str
    updated_at: str
