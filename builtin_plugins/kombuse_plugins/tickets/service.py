"""Rules of tickets; the provider of the Tickets contract."""

from collections.abc import Mapping
from typing import Any

from kombuse_plugins.tickets import queries, views
from kombuse_plugins.tickets.models import TicketRow
from kombuse_plugins.tickets.schemas import TicketCreate, TicketUpdate
from kombuse_sdk.contracts.invocations import Invocations
from kombuse_sdk.contracts.labels import Labels
from kombuse_sdk.contracts.milestones import Milestones
from kombuse_sdk.contracts.profiles import Profiles
from kombuse_sdk.contracts.projects import Projects
from kombuse_sdk.contracts.tickets import TicketRef, TicketSwitches
from kombuse_sdk.errors import BadRequest, Conflict, NotFound
from kombuse_sdk.events import Event
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = [
    "by_id",
    "counts",
    "create",
    "delete",
    "find",
    "get",
    "mark_viewed",
    "number_sql",
    "require",
    "switches",
    "touch",
    "update",
    "view",
]

find = queries.ref
mark_viewed = views.mark
_SEEN_BY_TRIGGERS = ("status", "priority", "assignee_id", "milestone_id")
_TAKEN = "SELECT id FROM tickets WHERE external_source = ? AND external_id = ?"


def get(tx: ReadTx, project_id: str, number: int) -> JsonText:
    found = NotFound.unless(queries.by_number(tx, project_id, number), "Ticket")
    ticket = JsonText(found["wire"].encode())
    return (
        _with_loop_protection(tx, ticket, found["id"])
        if found["loop_protection_enabled"]
        else ticket
    )


def counts(tx: ReadTx, project: str) -> JsonText:
    return queries.counts(tx, tx.services.get(Projects).resolve(tx, project))


def create(tx: WriteTx, body: TicketCreate, session_id: str | None = None) -> TicketRef:
    """A ticket with its labels, its event and the author's view."""
    profiles = tx.services.get(Profiles)
    projects = tx.services.get(Projects)
    project_id = projects.require(tx, body.project_id)
    actor_type = profiles.require(tx, body.author_id, "author_id")
    if body.assignee_id is not None:
        profiles.require(tx, body.assignee_id, "assignee_id")
    _require_milestone(tx, body.milestone_id, project_id)
    _require_free_pair(tx, body.external_source, body.external_id)
    number = projects.next_ticket_number(tx, project_id)
    values = dict(body) | {"project_id": project_id, "ticket_number": number}
    label_ids = dict.fromkeys(values.pop("label_ids"))
    times = dict.fromkeys(("created_at", "updated_at", "opened_at", "last_activity_at"), tx.now)
    closed_at = tx.now if body.status == "closed" else None
    ticket_id = tx.insert(TicketRow, **values, **times, closed_at=closed_at)
    ticket = TicketRef(id=ticket_id, project_id=project_id, number=number)
    if label_ids:
        _attach_labels(tx, ticket, list(label_ids), body.author_id)
    views.mark(tx, ticket_id, body.author_id)
    tx.emit(
        Event(
            event_type="ticket.created",
            project_id=project_id,
            ticket_id=ticket_id,
            actor_id=body.author_id,
            actor_type=actor_type,
            kombuse_session_id=session_id,
            payload={"title": body.title},
        )
    )
    return ticket


def update(
    tx: WriteTx, project_id: str, number: int, body: TicketUpdate, session_id: str | None = None
) -> TicketRef:
    """Change what differs; when nothing does, nothing at all happens."""
    row = _require_row(tx, project_id, number)
    ticket = TicketRef(id=row["id"], project_id=project_id, number=number)
    _update_fields(tx, row, body, session_id)
    _update_labels(tx, ticket, body, session_id)
    return ticket


def _update_fields(tx: WriteTx, row: Row, body: TicketUpdate, session_id: str | None) -> None:
    given = body.changes(without=("updated_by_id", "add_label_ids", "remove_label_ids"))
    if not given:
        return
    actor_id = body.updated_by_id
    profiles = tx.services.get(Profiles)
    actor_type = profiles.require(tx, actor_id, "updated_by_id") if actor_id else "user"
    _check(tx, row, given)
    changes = {name: value for name, value in given.items() if value != row[name]}
    if not changes:
        return
    times = {"updated_at": tx.now, "last_activity_at": tx.now} | _status_times(tx, row, changes)
    tx.update(TicketRow, row["id"], **changes, **times)
    if actor_id:
        views.mark(tx, row["id"], actor_id)
    tx.emit(
        Event(
            event_type=_event_type(row, changes),
            project_id=row["project_id"],
            ticket_id=row["id"],
            actor_id=actor_id,
            actor_type=actor_type,
            kombuse_session_id=session_id,
            payload=_changed(row, changes),
        )
    )


def _update_labels(
    tx: WriteTx, ticket: TicketRef, body: TicketUpdate, session_id: str | None
) -> None:
    if not (body.add_label_ids or body.remove_label_ids):
        return
    labels = tx.services.find(Labels)
    if labels is None:
        raise BadRequest("Labels are not available")
    for label_id in body.add_label_ids:
        labels.add(tx, ticket, label_id, body.updated_by_id, session_id)
    for label_id in body.remove_label_ids:
        labels.remove(tx, ticket, label_id, body.updated_by_id, session_id)


def delete(tx: WriteTx, project_id: str, number: int) -> None:
    tx.delete(TicketRow, _require_row(tx, project_id, number)["id"])


def view(tx: WriteTx, project_id: str, number: int, profile_id: str) -> JsonText:
    ticket_id = _require_row(tx, project_id, number)["id"]
    tx.services.get(Profiles).require(tx, profile_id, "profile_id")
    views.mark(tx, ticket_id, profile_id)
    return views.one(tx, ticket_id, profile_id)


def require(tx: ReadTx, project_id: str, number: int) -> TicketRef:
    return NotFound.unless(queries.ref(tx, project_id, number), "Ticket")


def by_id(tx: ReadTx, ticket_id: int) -> TicketRef | None:
    row = tx.one("SELECT project_id, ticket_number FROM tickets WHERE id = ?", (ticket_id,))
    if row is None:
        return None
    return TicketRef(id=ticket_id, project_id=row["project_id"], number=row["ticket_number"])


def switches(tx: ReadTx, ticket_id: int) -> TicketSwitches | None:
    sql = "SELECT triggers_enabled, loop_protection_enabled FROM tickets WHERE id = ?"
    row = tx.one(sql, (ticket_id,))
    if row is None:
        return None
    return TicketSwitches(
        triggers_enabled=bool(row["triggers_enabled"]),
        loop_protection_enabled=bool(row["loop_protection_enabled"]),
    )


def number_sql(ticket_id: str) -> str:
    return f"(SELECT ticket_number FROM tickets WHERE id = {ticket_id})"


def touch(tx: WriteTx, ticket_id: int) -> None:
    tx.update(TicketRow, ticket_id, last_activity_at=tx.now)


def _with_loop_protection(tx: ReadTx, ticket: JsonText, ticket_id: int) -> JsonText:
    """Whether agents are held up, on a ticket that is protected from their loops."""
    invocations = tx.services.find(Invocations)
    is_tripped = invocations is not None and invocations.is_tripped(tx, ticket_id)
    value = b"true" if is_tripped else b"false"
    text = ticket.data[:-1] + b',"loop_protection_tripped":' + value + b"}"
    return JsonText(text, is_volatile=is_tripped)


def _changed(row: Row, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What conditions of triggers can ask for: names of fields, values now, values before."""
    payload: dict[str, Any] = {"changes": list(changes)}
    for name in _SEEN_BY_TRIGGERS:
        payload[name] = changes.get(name, row[name])
        if name in changes:
            payload[f"previous_{name}"] = row[name]
    return payload


def _require_row(tx: ReadTx, project_id: str, number: int) -> Row:
    row = queries.row(tx, project_id, number)
    if row is None:
        raise NotFound(f"Ticket #{number} not found in project {project_id}")
    return row


def _check(tx: ReadTx, row: Row, given: Mapping[str, Any]) -> None:
    if given.get("assignee_id") is not None:
        tx.services.get(Profiles).require(tx, given["assignee_id"], "assignee_id")
    _require_milestone(tx, given.get("milestone_id"), row["project_id"])
    source, external_id = (
        given.get(name, row[name]) for name in ("external_source", "external_id")
    )
    _require_free_pair(tx, source, external_id, but=row["id"])


def _require_milestone(tx: ReadTx, milestone_id: int | None, project_id: str) -> None:
    if milestone_id is None:
        return
    milestones = tx.services.find(Milestones)
    if milestones is None or not milestones.belongs_to(tx, milestone_id, project_id):
        raise BadRequest("Milestone is invalid for this project")


def _require_free_pair(
    tx: ReadTx, source: str | None, external_id: str | None, but: int | None = None
) -> None:
    if source is None or external_id is None:
        return
    if tx.value(_TAKEN, (source, external_id)) not in (None, but):
        raise Conflict("A ticket with this external_source and external_id exists already")


def _attach_labels(tx: WriteTx, ticket: TicketRef, label_ids: list[int], author_id: str) -> None:
    labels = tx.services.find(Labels)
    if labels is None:
        raise BadRequest("One or more labels are invalid for this project")
    labels.attach_initial(tx, ticket, label_ids, author_id)


def _status_times(tx: ReadTx, row: Row, changes: Mapping[str, Any]) -> dict[str, Any]:
    if changes.get("status") == "closed":
        return {"closed_at": tx.now}
    if "status" in changes and row["status"] == "closed":
        return {"opened_at": tx.now, "closed_at": None}
    return {}


def _event_type(row: Row, changes: Mapping[str, Any]) -> str:
    if changes.get("status") == "closed":
        return "ticket.closed"
    if "status" in changes and row["status"] == "closed":
        return "ticket.reopened"
    return "ticket.updated"
