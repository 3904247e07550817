"""Every SELECT over events that are to be told."""

import json
from collections.abc import Sequence

from kombuse_plugins.realtime.schemas import LiveEvent
from kombuse_sdk.contracts import Tickets
from kombuse_sdk.sql import json_object
from kombuse_sdk.storage import ReadTx, Row

__all__ = ["events", "newest_id", "wires"]


def newest_id(tx: ReadTx) -> int:
    newest: int = tx.value("SELECT ifnull(max(id), 0) FROM events")
    return newest


def events(tx: ReadTx, after: int, limit: int) -> list[Row]:
    """What decides who is told: ids and the ticket's number, oldest first."""
    sql = f"""
        SELECT e.id, e.project_id, e.ticket_id, {_ticket_number(tx)} AS ticket_number,
            e.kombuse_session_id
        FROM events e WHERE e.id > ? ORDER BY e.id LIMIT ?
    """
    return tx.all(sql, (after, limit))


def wires(tx: ReadTx, event_ids: Sequence[int]) -> dict[int, str]:
    """JSON text by event."""
    base = json_object(LiveEvent, "e", ticket_number=_ticket_number(tx), payload="json(e.payload)")
    sql = f"""
        SELECT e.id, {tx.kernel.joins("event").select(base)} AS wire FROM events e
        WHERE e.id IN (SELECT value FROM json_each(?))
    """
    return {row["id"]: row["wire"] for row in tx.all(sql, (json.dumps(event_ids),))}


def _ticket_number(tx: ReadTx) -> str:
    tickets = tx.services.find(Tickets)
    return tickets.number_sql("e.ticket_id") if tickets else "NULL"
