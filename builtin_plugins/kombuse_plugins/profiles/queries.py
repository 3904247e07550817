"""Every SELECT over profiles."""

from kombuse_plugins.profiles.schemas import ProfileFilter
from kombuse_sdk import Column
from kombuse_sdk.contracts.profiles import Profile
from kombuse_sdk.sql import JsonText, Where, like
from kombuse_sdk.storage import ReadTx

__all__ = ["COLUMNS", "one", "page", "type_of"]


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
