"""Who has seen a ticket when, and what is unread for whom."""

from kombuse_plugins.tickets.models import TicketViewRow
from kombuse_plugins.tickets.schemas import TicketView
from kombuse_sdk import Column
from kombuse_sdk.sql import JsonText, json_object
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["HAS_UNREAD", "mark", "one"]

HAS_UNREAD = Column(
    name="has_unread",
    sql=(
        "ifnull((SELECT t.last_activity_at > v.last_viewed_at FROM ticket_views v"
        " WHERE v.ticket_id = t.id AND v.profile_id = :viewer_id), 1)"
    ),
    type=int,
    param="viewer_id",
)
_MARK = "UPDATE ticket_views SET last_viewed_at = ? WHERE ticket_id = ? AND profile_id = ?"
_ONE = f"""
    SELECT {json_object(TicketView, "v")} FROM ticket_views v
    WHERE v.ticket_id = ? AND v.profile_id = ?
"""


def mark(tx: WriteTx, ticket_id: int, profile_id: str) -> None:
    """The profile has seen everything up to now."""
    if not tx.execute(_MARK, (tx.now, ticket_id, profile_id)):
        values = {"ticket_id": ticket_id, "profile_id": profile_id, "last_viewed_at": tx.now}
        tx.insert(TicketViewRow, **values)


def one(tx: ReadTx, ticket_id: int, profile_id: str) -> JsonText:
    found = tx.json(_ONE, (ticket_id, profile_id))
    assert found is not None
    return found
