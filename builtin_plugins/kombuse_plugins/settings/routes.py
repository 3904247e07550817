"""/api/profiles/{profile_id}/settings and /api/profile-settings"""

from typing import Any

from kombuse_plugins.settings import queries, service
from kombuse_plugins.settings.schemas import ProfileSetting, SettingPut
from kombuse_sdk.http import Read, Router, Write

router = Router()


@router.get("/profiles/{profile_id}/settings", response_model=list[ProfileSetting])
def list_settings(tx: Read, profile_id: str) -> Any:
    return queries.all_of(tx, profile_id)


@router.get("/profiles/{profile_id}/settings/{key}", response_model=ProfileSetting | None)
def get_setting(tx: Read, profile_id: str, key: str) -> Any:
    return service.get(tx, profile_id, key)


@router.put("/profile-settings", response_model=ProfileSetting)
def put_setting(tx: Write, body: SettingPut) -> Any:
    return service.put(tx, body)


@router.delete("/profiles/{profile_id}/settings/{key}", status_code=204)
def delete_setting(tx: Write, profile_id: str, key: str) -> None:
    service.delete(tx, profile_id, key)
