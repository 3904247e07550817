"""Calls that were refused, in the log of events: who tried what, and why it was not done."""

from kombuse_plugins.mcp.callers import Denied
from kombuse_sdk.contracts import Sessions
from kombuse_sdk.events import Event
from kombuse_sdk.mcp import ToolCall
from kombuse_sdk.storage import WriteTx

__all__ = ["DENIED", "record"]

DENIED = "tool.denied"
_SHOWN = 500


def record(tx: WriteTx, call: ToolCall, denied: Denied) -> None:
    """In the session of a caller that is known; what others claim about theirs is only told."""
    caller = denied.caller
    sessions = tx.services.find(Sessions)
    session = None
    if sessions is not None and caller.session_id is not None and not caller.is_anonymous:
        session = sessions.ref(tx, caller.session_id)
    payload = {"tool": call.tool, "reason": denied.message[:_SHOWN]}
    if call.session_id is not None:
        payload["session_id"] = call.session_id[:_SHOWN]
    tx.emit(
        Event(
            event_type=DENIED,
            actor_type=caller.actor_type,
            actor_id=caller.profile_id,
            project_id=session.project_id if session else None,
            ticket_id=session.ticket_id if session else None,
            kombuse_session_id=session.id if session else None,
            payload=payload,
        )
    )
