"""The tables of installed plugins and their files. `orphaned_files` has no row class."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["PluginFileRow", "PluginRow"]

_METADATA = MetaData()


class PluginRow(Table, table=True):
    """`manifest` and `tools` are JSON text."""

    __tablename__ = "plugins"
    metadata = _METADATA

    id: str = Field(primary_key=True)
    project_id: str
    name: str
    version: str = "1.0.0"
    author: str | None
    description: str | None
    directory: str
    manifest: str
    is_enabled: bool = True
    source_feed_id: str | None
    source_name: str | None
    channel: str | None
    checksum: str | None
    package_version: str
    content_sha256: str
    code_sha256: str | None
    tools: str | None
    installed_at: str
    updated_at: str


class PluginFileRow(Table, table=True):
    __tablename__ = "plugin_files"
    metadata = _METADATA

    id: int | None = Field(default=None, primary_key=True)
    plugin_id: str
    path: str
    content: str
    content_hash: str
    upstream_hash: str | None
    upstream_content: str | None
    created_at: str
    updated_at: str
