"""Rules of labels; the provider of the Labels contract."""

from collections.abc import Sequence
from dataclasses import replace

from kombuse_plugins.labels import queries
from kombuse_plugins.labels.models import LabelRow
from kombuse_plugins.labels.schemas import LabelCreate, LabelUpdate
from kombuse_sdk.contracts import Profiles, TicketRef
from kombuse_sdk.errors import BadRequest, Conflict, NotFound
from kombuse_sdk.events import ActorType, Event
from kombuse_sdk.schemas import slugify
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = [
    "add",
    "attach_initial",
    "create",
    "delete",
    "enabled_among",
    "get",
    "of_project",
    "of_ticket",
    "project_id",
    "remove",
    "update",
]


def get(tx: ReadTx, label_id: int) -> JsonText:
    return NotFound.unless(queries.one(tx, label_id), "Label")


def create(tx: WriteTx, project_id: str, body: LabelCreate) -> JsonText:
    slug = slugify(body.name) or None
    if slug is not None and queries.slug_is_taken(tx, project_id, slug):
        raise Conflict(f"The project has a label with the slug {slug} already")
    values = body.model_dump() | {"project_id": project_id, "slug": slug, "created_at": tx.now}
    return get(tx, tx.insert(LabelRow, **values))


def update(tx: WriteTx, label_id: int, body: LabelUpdate) -> JsonText:
    """The slug stays when the name changes: triggers and people refer to it."""
    get(tx, label_id)
    changes = body.changes()
    if "is_enabled" in changes:
        changes["disabled_by_plugin"] = False
    tx.update(LabelRow, label_id, **changes)
    return get(tx, label_id)


def delete(tx: WriteTx, label_id: int) -> None:
    """Takes the label off all tickets, without events."""
    if not tx.delete(LabelRow, label_id):
        raise NotFound("Label not found")


def attach_initial(
    tx: WriteTx, ticket: TicketRef, label_ids: Sequence[int], added_by_id: str
) -> None:
    wanted = list(dict.fromkeys(label_ids))
    if queries.count_in_project(tx, ticket.project_id, wanted) != len(wanted):
        raise BadRequest("One or more labels are invalid for this project")
    for label_id in wanted:
        _attach(tx, ticket, label_id, added_by_id)


def add(
    tx: WriteTx,
    ticket: TicketRef,
    label_id: int,
    added_by_id: str | None,
    kombuse_session_id: str | None = None,
) -> bool:
    label = NotFound.unless(queries.row(tx, label_id), "Label")
    if label["project_id"] != ticket.project_id:
        raise BadRequest("Label is invalid for this project")
    if queries.is_attached(tx, ticket.id, label_id):
        return False
    actor_type = _actor_type(tx, added_by_id, "added_by_id")
    _attach(tx, ticket, label_id, added_by_id)
    event = _event("label.added", ticket, label, added_by_id, actor_type)
    tx.emit(replace(event, kombuse_session_id=kombuse_session_id))
    return True


def remove(
    tx: WriteTx,
    ticket: TicketRef,
    label_id: int,
    removed_by_id: str | None,
    kombuse_session_id: str | None = None,
) -> bool:
    label = queries.row(tx, label_id)
    if label is None or not queries.is_attached(tx, ticket.id, label_id):
        return False
    actor_type = _actor_type(tx, removed_by_id, "removed_by_id")
    sql = "DELETE FROM ticket_labels WHERE ticket_id = ? AND label_id = ?"
    tx.execute(sql, (ticket.id, label_id))
    event = _event("label.removed", ticket, label, removed_by_id, actor_type)
    tx.emit(replace(event, kombuse_session_id=kombuse_session_id))
    return True


def project_id(tx: ReadTx, label_id: int) -> str | None:
    label = queries.row(tx, label_id)
    return None if label is None else label["project_id"]


def enabled_among(tx: ReadTx, project_id: str, label_ids: Sequence[int]) -> list[int]:
    return queries.enabled_among(tx, project_id, label_ids)


def of_ticket(tx: ReadTx, ticket_id: int) -> list[Row]:
    return queries.of_ticket(tx, ticket_id)


def of_project(tx: ReadTx, project_id: str) -> dict[int, Row]:
    return {row["id"]: row for row in queries.of_project(tx, project_id)}


def _attach(tx: WriteTx, ticket: TicketRef, label_id: int, added_by_id: str | None) -> None:
    sql = """
        INSERT INTO ticket_labels (ticket_id, label_id, added_by_id, created_at)
        VALUES (?, ?, ?, ?)
    """
    tx.execute(sql, (ticket.id, label_id, added_by_id, tx.now))


def _actor_type(tx: ReadTx, profile_id: str | None, field: str) -> ActorType:
    if profile_id is None:
        return "system"
    return tx.services.get(Profiles).require(tx, profile_id, field)


def _event(
    event_type: str, ticket: TicketRef, label: Row, actor_id: str | None, actor_type: ActorType
) -> Event:
    return Event(
        event_type=event_type,
        actor_type=actor_type,
        actor_id=actor_id,
        project_id=ticket.project_id,
        ticket_id=ticket.id,
        payload={
            "label_id": label["id"],
            "label_name": label["name"],
            "label_slug": label["slug"],
            "label_plugin_id": label["plugin_id"],
        },
    )
