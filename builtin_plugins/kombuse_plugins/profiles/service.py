"""Rules of profiles; the provider of the Profiles contract."""

import json
import uuid
from collections.abc import Sequence
from typing import Any, Literal, cast

from kombuse_plugins.profiles import queries
from kombuse_plugins.profiles.models import ProfileRow
from kombuse_plugins.profiles.schemas import ProfileCreate, ProfileUpdate
from kombuse_sdk.contracts.profiles import (
    ANONYMOUS_AGENT,
    EXTERNAL,
    LOCAL_USER,
    Author,
    PackageOrigin,
)
from kombuse_sdk.errors import BadRequest, Conflict, NotFound, Unprocessable
from kombuse_sdk.events import ActorType
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = [
    "actor_type",
    "authors",
    "create",
    "deactivate",
    "find_by_name",
    "find_by_slug",
    "get",
    "give_back",
    "name",
    "of_package",
    "release",
    "require",
    "rows",
    "save_agent",
    "seed",
    "update",
]


def get(tx: ReadTx, profile_id: str) -> JsonText:
    return NotFound.unless(queries.one(tx, profile_id), "Profile")


def create(tx: WriteTx, body: ProfileCreate) -> JsonText:
    profile_id = body.id or str(uuid.uuid4())
    if queries.type_of(tx, profile_id) is not None:
        raise Conflict(f"A profile with the id {profile_id} exists already")
    _require_free_email(tx, body.email, profile_id)
    if body.external_source is not None and body.external_id is not None:
        sql = "SELECT 1 FROM profiles WHERE external_source = ? AND external_id = ?"
        if tx.value(sql, (body.external_source, body.external_id)):
            raise Conflict("A profile with this external_source and external_id exists already")
    values = body.model_dump() | {"id": profile_id}
    tx.insert(ProfileRow, **values, created_at=tx.now, updated_at=tx.now)
    return get(tx, profile_id)


def update(tx: WriteTx, profile_id: str, body: ProfileUpdate) -> JsonText:
    get(tx, profile_id)
    changes = body.changes()
    if changes:
        _require_free_email(tx, changes.get("email"), profile_id)
        tx.update(ProfileRow, profile_id, **changes, updated_at=tx.now)
    return get(tx, profile_id)


def deactivate(tx: WriteTx, profile_id: str) -> None:
    """Soft: what the profile wrote stays, and so does its name on it."""
    get(tx, profile_id)
    if profile_id in (LOCAL_USER, ANONYMOUS_AGENT):
        raise BadRequest("This profile is built in and cannot be deleted")
    tx.update(ProfileRow, profile_id, is_active=False, updated_at=tx.now)


def save_agent(
    tx: WriteTx,
    profile_id: str,
    *,
    name: str,
    description: str | None,
    slug: str | None = None,
    avatar_url: str | None = None,
    origin: PackageOrigin | None = None,
) -> None:
    known = queries.type_of(tx, profile_id)
    if known not in (None, "agent") or profile_id == ANONYMOUS_AGENT:
        raise Conflict(f"Profile {profile_id} is not of type 'agent'")
    given = {"name": name, "description": description, "slug": slug, "avatar_url": avatar_url}
    values: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    values |= _origin(origin)
    if known is None:
        times = {"created_at": tx.now, "updated_at": tx.now}
        tx.insert(ProfileRow, id=profile_id, type="agent", **values, **times)
    else:
        tx.update(ProfileRow, profile_id, **values, is_active=True, updated_at=tx.now)


def give_back(
    tx: WriteTx,
    profile_id: str,
    *,
    name: str,
    description: str | None,
    slug: str | None,
    avatar_url: str | None,
) -> None:
    values = {"name": name, "description": description, "slug": slug, "avatar_url": avatar_url}
    tx.update(ProfileRow, profile_id, **values, **_origin(None), updated_at=tx.now)


def release(tx: WriteTx, plugin_id: str) -> None:
    sql = "UPDATE profiles SET plugin_id = NULL, updated_at = ? WHERE plugin_id = ?"
    tx.execute(sql, (tx.now, plugin_id))


def of_package(tx: ReadTx, project_id: str, plugin_name: str) -> dict[str, str]:
    return queries.of_package(tx, project_id, plugin_name)


def seed(tx: WriteTx) -> None:
    """The built-in profiles, each only when it is missing."""
    builtin = {
        LOCAL_USER: {"type": "user", "name": "Default User", "email": "user@example.com"},
        ANONYMOUS_AGENT: {
            "type": "agent",
            "name": "Anonymous Agent",
            "description": "Stands for MCP clients that do not say who they are",
        },
    }
    for profile_id, values in builtin.items():
        if queries.type_of(tx, profile_id) is None:
            times = {"created_at": tx.now, "updated_at": tx.now}
            tx.insert(ProfileRow, id=profile_id, **values, **times)


def require(tx: ReadTx, profile_id: str, field: str) -> ActorType:
    found = queries.type_of(tx, profile_id)
    if found is None:
        raise Unprocessable.reference(field, "profile")
    return cast(ActorType, found)


def actor_type(tx: ReadTx, profile_id: str | None) -> ActorType | None:
    return None if profile_id is None else cast(ActorType | None, queries.type_of(tx, profile_id))


def authors(tx: ReadTx, profile_ids: Sequence[str]) -> dict[str, Author]:
    known = queries.kinds(tx, profile_ids)
    return {profile_id: _author(profile_id, known.get(profile_id)) for profile_id in profile_ids}


def name(tx: ReadTx, profile_id: str) -> str | None:
    found: str | None = tx.value("SELECT name FROM profiles WHERE id = ?", (profile_id,))
    return found


def rows(tx: ReadTx, profile_ids: Sequence[str]) -> dict[str, Row]:
    sql = """
        SELECT id, type, name, slug, description, avatar_url, is_active FROM profiles
        WHERE id IN (SELECT value FROM json_each(?))
    """
    return {row["id"]: row for row in tx.all(sql, (json.dumps(profile_ids),))}


def find_by_name(tx: ReadTx, name: str, project_id: str | None = None) -> str | None:
    found = queries.ids_by_name(tx, name, project_id)
    return found[0] if len(found) == 1 else None


def find_by_slug(tx: ReadTx, slug: str, project_id: str | None = None) -> str | None:
    return queries.id_by_slug(tx, slug, project_id)


def _author(profile_id: str, kind: str | None) -> Author:
    if kind is None:
        return EXTERNAL
    is_known = profile_id != ANONYMOUS_AGENT
    return {"author_kind": cast(Literal["user", "agent"], kind), "author_trusted": is_known}


def _origin(origin: PackageOrigin | None) -> dict[str, str | None]:
    return {
        "plugin_id": origin.plugin_id if origin else None,
        "package_name": origin.plugin_name if origin else None,
        "package_project_id": origin.project_id if origin else None,
    }


def _require_free_email(tx: ReadTx, email: str | None, profile_id: str) -> None:
    sql = "SELECT 1 FROM profiles WHERE lower(email) = lower(?) AND email IS NOT NULL AND id != ?"
    if email is not None and tx.value(sql, (email, profile_id)):
        raise Conflict(f"A profile with the email {email} exists already")
