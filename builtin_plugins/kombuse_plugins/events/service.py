"""Rules of events: reading the log, and events that clients write into it."""

from kombuse_plugins.events import queries
from kombuse_plugins.events.schemas import EventCreate, EventFilter
from kombuse_sdk.contracts import Comments, Profiles, Projects, Tickets
from kombuse_sdk.errors import NotFound, Unprocessable
from kombuse_sdk.events import Event
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["create", "of_ticket", "page", "timeline"]


def page(tx: ReadTx, query: EventFilter) -> JsonText:
    """An unknown project has no events."""
    if query.project_id is None:
        return queries.page(tx, query, None)
    project_id = tx.services.get(Projects).resolve(tx, query.project_id)
    return JsonText(b"[]") if project_id is None else queries.page(tx, query, project_id)


def of_ticket(tx: ReadTx, project_id: str, number: int) -> JsonText:
    return queries.of_ticket(tx, _ticket_id(tx, project_id, number))


def timeline(tx: ReadTx, project_id: str, number: int) -> JsonText:
    return queries.timeline(tx, _ticket_id(tx, project_id, number))


def create(tx: WriteTx, body: EventCreate) -> JsonText:
    """Any event type will do; project, ticket and comment need not belong together.

    Raises Unprocessable for what does not exist.
    """
    links = body.changes(without=("event_type", "actor_type", "payload"))
    if "project_id" in links:
        links["project_id"] = tx.services.get(Projects).require(tx, links["project_id"])
    if "actor_id" in links:
        tx.services.get(Profiles).require(tx, links["actor_id"], "actor_id")
    if "ticket_id" in links:
        tickets = tx.services.find(Tickets)
        if tickets is None or tickets.by_id(tx, links["ticket_id"]) is None:
            raise Unprocessable.reference("ticket_id", "ticket")
    if "comment_id" in links:
        comments = tx.services.find(Comments)
        if comments is None or comments.ticket_id(tx, links["comment_id"]) is None:
            raise Unprocessable.reference("comment_id", "comment")
    event_id = tx.emit(
        Event(event_type=body.event_type, actor_type=body.actor_type, payload=body.payload, **links)
    )
    made = queries.event(tx, event_id)
    assert made is not None
    return made


def _ticket_id(tx: ReadTx, project_id: str, number: int) -> int:
    tickets = NotFound.unless(tx.services.find(Tickets), "Ticket")
    return tickets.require(tx, project_id, number).id
