"""Setting and lifting the marks, and reading them over REST and MCP."""

from datetime import datetime, timedelta
from typing import Any

from kombuse_sdk.contracts import Projects
from kombuse_sdk.events import Event, StoredEvent
from kombuse_sdk.http import ProjectId, Read, Router
from kombuse_sdk.mcp import Caller, Tool, ToolInput
from kombuse_sdk.schemas import NonEmpty, Output, timestamp
from kombuse_sdk.sql import JsonText, json_object
from kombuse_sdk.storage import ReadTx, WriteTx
from kombuse_sdk.types import Kernel

AFTER = timedelta(days=14)
MOVING = frozenset({"comment.added", "ticket.updated", "ticket.closed", "ticket.claimed"})
router = Router()


class StaleTicket(Output):
    ticket_number: int
    title: str
    since: str


class ListInput(ToolInput):
    project_id: NonEmpty


def mark_job(kernel: Kernel) -> None:
    with kernel.db.write() as tx:
        mark(tx)


def mark(tx: WriteTx) -> int:
    """Mark what is stale by now, with an event for each; how many that were."""
    untouched_since = timestamp(datetime.fromisoformat(tx.now) - AFTER)
    rows = tx.all(
        "SELECT t.id, t.project_id, t.last_activity_at FROM tickets t"
        " WHERE t.status = 'open' AND t.last_activity_at < ?"
        " AND NOT EXISTS (SELECT 1 FROM stale_tickets s WHERE s.ticket_id = t.id)",
        (untouched_since,),
    )
    for row in rows:
        tx.execute("INSERT INTO stale_tickets VALUES (?, ?)", (row["id"], row["last_activity_at"]))
        tx.emit(
            Event(
                event_type="ticket.stale",
                actor_type="system",
                project_id=row["project_id"],
                ticket_id=row["id"],
                payload={"since": row["last_activity_at"]},
            )
        )
    return len(rows)


def unmark(tx: WriteTx, event: StoredEvent) -> None:
    if event.ticket_id is not None:
        tx.execute("DELETE FROM stale_tickets WHERE ticket_id = ?", (event.ticket_id,))


def of_project(tx: ReadTx, project_id: str) -> JsonText:
    wire = json_object(StaleTicket, "s", ticket_number="t.ticket_number", title="t.title")
    return tx.json_list(
        f"SELECT {wire} FROM stale_tickets s JOIN tickets t ON t.id = s.ticket_id"
        " WHERE t.project_id = ? ORDER BY s.since, s.ticket_id",
        (project_id,),
    )


@router.get("/x/stale-tickets/{project_id}", response_model=list[StaleTicket])
def list_stale(tx: Read, project_id: ProjectId) -> Any:
    return of_project(tx, project_id)


def _list(tx: ReadTx, caller: Caller, arguments: ListInput) -> JsonText:
    return of_project(tx, tx.services.get(Projects).require(tx, arguments.project_id))


TOOL = Tool(
    name="stale_tickets_list",
    title="List stale tickets",
    description="Open tickets of a project that nobody touched for two weeks, longest first.",
    input=ListInput,
    output=list[StaleTicket],
    run=_list,
)
