"""Every SELECT over profiles."""

import json
from collections.abc import Sequence

from kombuse_plugins.profiles.schemas import ProfileFilter
from kombuse_sdk import Column
from kombuse_sdk.contracts.profiles import Profile
from kombuse_sdk.sql import JsonText, Where, like
from kombuse_sdk.storage import ReadTx

__all__ = [
    "COLUMNS",
    "id_by_slug",
    "ids_by_name",
    "kinds",
    "of_package",
    "one",
    "page",
    "type_of",
]

_IN_SCOPE = "(:project_id IS NULL OR ifnull(package_project_id, :project_id) = :project_id)"


def _profile(reference: str) -> str:
    return f"ifnull((SELECT wire FROM profiles WHERE id = {reference}), 'null')"


COLUMNS = {
    "ticket": (
        Column(name="author", sql=_profile("t.author_id"), type=Profile),
        Column(name="assignee", sql=_profile("t.assignee_id"), type=Profile | None),
    ),
    "comment": (Column(name="author", sql=_profile("c.author_id"), type=Profile),),
    "event": (Column(name="actor", sql=_profile("e.actor_id"), type=Profile | None),),
}


def one(tx: ReadTx, profile_id: str) -> JsonText | None:
    return tx.json("SELECT wire FROM profiles WHERE id = ?", (profile_id,))


def type_of(tx: ReadTx, profile_id: str) -> str | None:
    found: str | None = tx.value("SELECT type FROM profiles WHERE id = ?", (profile_id,))
    return found


def kinds(tx: ReadTx, profile_ids: Sequence[str]) -> dict[str, str]:
    """The types of those that were not imported."""
    sql = """
        SELECT id, type FROM profiles
        WHERE external_source IS NULL AND id IN (SELECT value FROM json_each(?))
    """
    return {row["id"]: row["type"] for row in tx.all(sql, (json.dumps(list(profile_ids)),))}


def of_package(tx: ReadTx, project_id: str, plugin_name: str) -> dict[str, str]:
    """The ids by slug; of several with one slug the newest."""
    sql = """
        SELECT slug, id FROM profiles
        WHERE package_project_id = ? AND package_name = ? AND slug IS NOT NULL
        ORDER BY created_at, id
    """
    return {row["slug"]: row["id"] for row in tx.all(sql, (project_id, plugin_name))}


def ids_by_name(tx: ReadTx, name: str, project_id: str | None) -> list[str]:
    """Two at most: who asks wants the only one."""
    sql = f"SELECT id FROM profiles WHERE name = :name AND is_active AND {_IN_SCOPE} LIMIT 2"
    return tx.values(sql, {"name": name, "project_id": project_id})


def id_by_slug(tx: ReadTx, slug: str, project_id: str | None) -> str | None:
    sql = f"""
        SELECT id FROM profiles WHERE slug = :slug AND is_active AND {_IN_SCOPE}
        ORDER BY plugin_id IS NOT NULL, created_at, id LIMIT 1
    """
    found: str | None = tx.value(sql, {"slug": slug, "project_id": project_id})
    return found


def page(tx: ReadTx, query: ProfileFilter) -> JsonText:
    where = Where(params={"limit": query.limit, "offset": query.offset})
    where.equal("p.type", type=query.type)
    where.equal("p.is_active", is_active=query.is_active)
    if query.search:
        where.add(
            r"(p.name LIKE :search ESCAPE '\' OR p.email LIKE :search ESCAPE '\'"
            r" OR p.description LIKE :search ESCAPE '\')",
            search=like(query.search),
        )
    tx.kernel.joins("profile").apply(where, query.given())
    sql = f"""
        SELECT p.wire FROM profiles p {where.sql}
        ORDER BY p.created_at DESC, p.id DESC LIMIT :limit OFFSET :offset
    """
    return tx.json_list(sql, where.params)
