"""The profiles table."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["ProfileRow"]


class ProfileRow(Table, table=True):
    __tablename__ = "profiles"
    metadata = MetaData()

    id: str = Field(primary_key=True)
    type: str
    name: str
    slug: str | None
    email: str | None
    description: str | None
    avatar_url: str | None
    external_source: str | None
    external_id: str | None
    plugin_id: str | None
    package_name: str | None
    package_project_id: str | None
    is_active: bool = True
    created_at: str
    updated_at: str
