"""Wire shapes of settings."""

from typing import Annotated

from pydantic import Field

from kombuse_sdk.schemas import Body, NonEmpty, Output, Text

__all__ = ["ProfileSetting", "SettingPut"]


class SettingPut(Body):
    profile_id: NonEmpty
    setting_key: Annotated[NonEmpty, Field(max_length=100)]
    setting_value: Text


class ProfileSetting(Output):
    """A choice of one profile."""

    id: int
    profile_id: str
    setting_key: str
    setting_value: str
    created_at: str
    updated_at: str
