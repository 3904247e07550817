"""Rules of settings; the provider of the Settings contract.

Keys and values are free: what a value means is up to the plugin that reads it.
"""

from collections.abc import Mapping

from kombuse_plugins.settings import queries
from kombuse_plugins.settings.models import ProfileSettingRow
from kombuse_plugins.settings.schemas import SettingPut
from kombuse_sdk.contracts.profiles import LOCAL_USER, Profiles
from kombuse_sdk.errors import NotFound
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["delete", "get", "put", "starting_with", "store", "value"]


def get(tx: ReadTx, profile_id: str, key: str) -> JsonText:
    """The setting, or `null` when it is unset."""
    return queries.one(tx, profile_id, key) or JsonText(b"null")


def put(tx: WriteTx, body: SettingPut) -> JsonText:
    tx.services.get(Profiles).require(tx, body.profile_id, "profile_id")
    found = queries.id_of(tx, body.profile_id, body.setting_key)
    if found is None:
        times = {"created_at": tx.now, "updated_at": tx.now}
        tx.insert(ProfileSettingRow, **body.model_dump(), **times)
    else:
        changes = {"setting_value": body.setting_value, "updated_at": tx.now}
        tx.update(ProfileSettingRow, found, **changes)
    return get(tx, body.profile_id, body.setting_key)


def delete(tx: WriteTx, profile_id: str, key: str) -> None:
    found = NotFound.unless(queries.id_of(tx, profile_id, key), "Setting")
    tx.delete(ProfileSettingRow, found)


def value(tx: ReadTx, key: str, profile_id: str = LOCAL_USER) -> str | None:
    return queries.value(tx, profile_id, key)


def starting_with(tx: ReadTx, prefix: str, profile_id: str = LOCAL_USER) -> Mapping[str, str]:
    return queries.starting_with(tx, profile_id, prefix)


def store(tx: WriteTx, key: str, value: str, profile_id: str = LOCAL_USER) -> None:
    put(tx, SettingPut(profile_id=profile_id, setting_key=key, setting_value=value))
