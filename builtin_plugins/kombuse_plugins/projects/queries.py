"""Every SELECT over projects."""

import unicodedata

from kombuse_plugins.projects.schemas import Project, ProjectFilter
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx

__all__ = ["by_folded_id", "by_id", "by_local_path", "by_slug", "folded", "one", "page", "taken"]

_WIRE = json_object(Project, "p")


def folded(*texts: str | None) -> str:
    """Text in the form in which it is searched, whatever its case and composition."""
    return unicodedata.normalize("NFKC", "\n".join(filter(None, texts))).casefold()


def one(tx: ReadTx, project_id: str) -> JsonText | None:
    return tx.json(f"SELECT {_WIRE} FROM projects p WHERE p.id = ?", (project_id,))


def page(tx: ReadTx, query: ProjectFilter) -> JsonText:
    where = Where(params={"limit": query.limit, "offset": query.offset})
    where.equal("p.owner_id", owner_id=query.owner_id)
    where.equal("p.repo_source", repo_source=query.repo_source)
    if query.search:
        where.add("instr(p.search_text, :search)", search=folded(query.search))
    sql = f"""
        SELECT {_WIRE} FROM projects p {where.sql}
        ORDER BY p.created_at DESC, p.id DESC LIMIT :limit OFFSET :offset
    """
    return tx.json_list(sql, where.params)


def by_id(tx: ReadTx, project_id: str) -> str | None:
    return _id(tx, "id = ?", project_id)


def by_folded_id(tx: ReadTx, project_id: str) -> str | None:
    return _id(tx, "lower(id) = ?", project_id.lower())


def by_slug(tx: ReadTx, slug: str) -> str | None:
    return _id(tx, "slug = ?", slug)


def by_local_path(tx: ReadTx, path: str) -> str | None:
    return _id(tx, "local_path = ?", path)


def taken(tx: ReadTx, base: str) -> set[str]:
    """References to projects that are `base` or begin with `base-`."""
    sql = " UNION ".join(
        f"SELECT {column} FROM projects"
        f" WHERE {column} = :base OR ({column} > :base || '-' AND {column} < :base || '.')"
        for column in ("slug", "id")
    )
    return set(tx.values(sql, {"base": base}))


def _id(tx: ReadTx, condition: str, value: str) -> str | None:
    found: str | None = tx.value(f"SELECT id FROM projects WHERE {condition}", (value,))
    return found
