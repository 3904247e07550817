"""Every SELECT over settings."""

from kombuse_plugins.settings.schemas import ProfileSetting
from kombuse_sdk.sql import JsonText, json_object
from kombuse_sdk.storage import ReadTx

__all__ = ["all_of", "id_of", "one", "starting_with", "value"]

_ITEM = json_object(ProfileSetting, "s")
_ONE = "FROM profile_settings s WHERE s.profile_id = ? AND s.setting_key = ?"


def all_of(tx: ReadTx, profile_id: str) -> JsonText:
    sql = f"SELECT {_ITEM} FROM profile_settings s WHERE s.profile_id = ? ORDER BY s.setting_key"
    return tx.json_list(sql, (profile_id,))


def one(tx: ReadTx, profile_id: str, key: str) -> JsonText | None:
    return tx.json(f"SELECT {_ITEM} {_ONE}", (profile_id, key))


def id_of(tx: ReadTx, profile_id: str, key: str) -> int | None:
    found: int | None = tx.value(f"SELECT s.id {_ONE}", (profile_id, key))
    return found


def value(tx: ReadTx, profile_id: str, key: str) -> str | None:
    found: str | None = tx.value(f"SELECT s.setting_value {_ONE}", (profile_id, key))
    return found


def starting_with(tx: ReadTx, profile_id: str, prefix: str) -> dict[str, str]:
    sql = (
        "SELECT s.setting_key, s.setting_value FROM profile_settings s WHERE s.profile_id = ?"
        " AND s.setting_key >= ? AND s.setting_key < ? ORDER BY s.setting_key"
    )
    rows = tx.all(sql, (profile_id, prefix, prefix + "\U0010ffff"))
    return {row["setting_key"]: row["setting_value"] for row in rows}
