"""The profile_settings table."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["ProfileSettingRow"]


class ProfileSettingRow(Table, table=True):
    __tablename__ = "profile_settings"
    metadata = MetaData()

    id: int | None = Field(default=None, primary_key=True)
    profile_id: str
    setting_key: str
    setting_value: str
    created_at: str
    updated_at: str
