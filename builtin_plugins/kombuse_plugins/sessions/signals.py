"""The signal `session.updated`: a list of sessions is out of date, and what is new in it."""

from functools import partial
from typing import Any

from kombuse_sdk.contracts import Live
from kombuse_sdk.storage import WriteTx

__all__ = ["updated"]

_SESSION = """
    SELECT kombuse_session_id, project_id, ticket_id, agent_id, status FROM sessions WHERE id = ?
"""


def updated(tx: WriteTx, row_id: str, status: str | None = None) -> None:
    """To be told after the commit; `status` is what becomes of it, if that is not its own."""
    live, row = tx.services.find(Live), tx.one(_SESSION, (row_id,))
    if live is None or row is None:
        return
    message: dict[str, Any] = {
        "type": "session.updated",
        "kombuseSessionId": row["kombuse_session_id"],
        "status": status or row["status"],
        "projectId": row["project_id"],
        "ticketId": row["ticket_id"],
        "agentId": row["agent_id"],
    }
    topics = [f"session:{row['kombuse_session_id']}"]
    if row["ticket_id"] is not None:
        topics.append(f"ticket:{row['ticket_id']}")
    if row["project_id"] is not None:
        topics.append(f"project:{row['project_id']}")
    known = {key: value for key, value in message.items() if value is not None}
    tx.after_commit(partial(live.publish, [*topics, "*"], known))
