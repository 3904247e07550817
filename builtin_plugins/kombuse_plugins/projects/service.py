"""Rules of projects; the provider of the Projects contract."""

import uuid
from typing import Any

from kombuse_plugins.projects import queries
from kombuse_plugins.projects.models import ProjectRow
from kombuse_plugins.projects.schemas import ProjectCreate, ProjectUpdate
from kombuse_plugins.projects.slugs import free_slug, is_uuid, slug_base
from kombuse_sdk.contracts import Profiles
from kombuse_sdk.errors import BadRequest, Conflict, NotFound, Unprocessable
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = [
    "add",
    "at_path",
    "create",
    "delete",
    "folder",
    "get",
    "local_path",
    "next_ticket_number",
    "require",
    "resolve",
    "update",
]


def resolve(tx: ReadTx, reference: str) -> str | None:
    found = queries.by_id(tx, reference)
    if found is not None:
        return found
    return (queries.by_folded_id if is_uuid(reference) else queries.by_slug)(tx, reference)


def require(tx: ReadTx, reference: str, field: str = "project_id") -> str:
    found = resolve(tx, reference)
    if found is None:
        raise Unprocessable.reference(field, "project")
    return found


def next_ticket_number(tx: WriteTx, project_id: str) -> int:
    sql = """
        UPDATE projects SET next_ticket_number = next_ticket_number + 1 WHERE id = ?
        RETURNING next_ticket_number - 1
    """
    number: int | None = tx.value(sql, (project_id,))
    if number is None:
        raise NotFound("Project not found")
    return number


def get(tx: ReadTx, project_id: str) -> JsonText:
    return NotFound.unless(queries.one(tx, project_id), "Project")


def local_path(tx: ReadTx, reference: str) -> str | None:
    """The folder of a project, if it has one."""
    return _row(tx, reference).local_path


def at_path(tx: ReadTx, local_path: str) -> str | None:
    return queries.by_local_path(tx, local_path)


def folder(tx: ReadTx, reference: str) -> str:
    """The folder of a project; BadRequest when it has none."""
    path = local_path(tx, reference)
    if path is None:
        raise BadRequest("Project has no local_path configured")
    return path


def create(tx: WriteTx, body: ProjectCreate) -> JsonText:
    """Without the setup on disk, which follows the commit."""
    values = body.changes()
    tx.services.get(Profiles).require(tx, body.owner_id, "owner_id")
    values["id"] = project_id = body.id or str(uuid.uuid4())
    if resolve(tx, project_id) is not None:
        raise Conflict(f"A project with the id {project_id} exists already")
    base = slug_base(body.name)
    values.setdefault("slug", free_slug(base, queries.taken(tx, base)))
    values["local_path"] = body.local_path or None
    _require_free(tx, values, project_id)
    values["search_text"] = queries.folded(body.name, body.description)
    tx.insert(ProjectRow, **values, created_at=tx.now, updated_at=tx.now)
    return get(tx, project_id)


def add(tx: WriteTx, *, name: str, owner_id: str, local_path: str) -> JsonText:
    return create(tx, ProjectCreate(name=name, owner_id=owner_id, local_path=local_path))


def update(tx: WriteTx, reference: str, body: ProjectUpdate) -> JsonText:
    """Values that are there already change nothing, not even the time of the last change."""
    row = _row(tx, reference)
    given = body.changes()
    if "local_path" in given:
        given["local_path"] = given["local_path"] or None
    changes = {name: value for name, value in given.items() if value != getattr(row, name)}
    if changes:
        _require_free(tx, changes, row.id)
        text = [changes.get(name, getattr(row, name)) for name in ("name", "description")]
        changes |= {"search_text": queries.folded(*text), "updated_at": tx.now}
        tx.update(ProjectRow, row.id, **changes)
    return get(tx, row.id)


def delete(tx: WriteTx, project_id: str) -> None:
    """With everything in it; its events stay. Files in its folder are not touched."""
    tx.delete(ProjectRow, project_id)


def _row(tx: ReadTx, reference: str) -> ProjectRow:
    project_id = resolve(tx, reference)
    return NotFound.unless(
        None if project_id is None else tx.get(ProjectRow, project_id), "Project"
    )


def _require_free(tx: ReadTx, values: dict[str, Any], project_id: str) -> None:
    """Slugs and ids are one name space: a reference never means two projects."""
    slug, path = values.get("slug"), values.get("local_path")
    if slug is not None and resolve(tx, slug) not in (None, project_id):
        raise Conflict(f"A project with the slug {slug} exists already")
    if path is not None and queries.by_local_path(tx, path) not in (None, project_id):
        raise Conflict(f"Another project has the local_path {path}")
