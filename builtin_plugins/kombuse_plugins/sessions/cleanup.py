"""Sessions that say `running` while nothing runs them: after a crash, at the end of the server."""

import json
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from kombuse_plugins.sessions import payloads, queries, recorder, states
from kombuse_plugins.sessions.states import Ending
from kombuse_plugins.sessions.turns import reference
from kombuse_sdk.contracts import Invocations
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["RECOVERY", "SHUTDOWN", "UNAVAILABLE", "abort", "abort_all", "sweep"]

RECOVERY = states.cleaned_up("server_startup_recovery", "startup_cleanup")
SHUTDOWN = states.cleaned_up("server_shutdown", "shutdown_cleanup")
UNAVAILABLE = states.cleaned_up("backend_unavailable", "orphan_cleanup")
_SILENT_MINUTES = 10

# What the backend said in the turn; our own notes, and how it was started, change nothing.
_PRODUCED = """
    SELECT 1 FROM session_events
    WHERE session_id = ? AND seq > ? AND event_type != 'raw' LIMIT 1
"""


def abort_all(tx: WriteTx, ending: Ending) -> list[tuple[SessionRef, Any]]:
    """Every running session; (reference, backend session id) of each. Unused chats stay."""
    return [abort(tx, row, ending) for row in queries.running(tx)]


def sweep(tx: WriteTx, live: Collection[str]) -> list[tuple[SessionRef, Any]]:
    """Running sessions without a live backend that were silent for long."""
    limit = timestamp(datetime.fromisoformat(tx.now) - timedelta(minutes=_SILENT_MINUTES))
    return [
        abort(tx, row, UNAVAILABLE)
        for row in queries.running(tx)
        if row["updated_at"] < limit and row["kombuse_session_id"] not in live
    ]


def abort(tx: WriteTx, row: Any, ending: Ending) -> tuple[SessionRef, Any]:
    """Its invocations wait for their turn again if nothing was done yet."""
    session_id = row["kombuse_session_id"]
    has_done = _has_done(tx, row)
    states.end(tx, row["id"], ending)
    data = {
        "action": "forced_abort",
        "source": ending.source,
        "reason": ending.reason,
        "terminal_at": tx.now,
        "previous_status": row["status"],
        "kombuse_session_id": session_id,
        "backend_session_id": row["backend_session_id"],
        "ticket_id": row["ticket_id"],
    }
    note = payloads.entry(
        "raw",
        {"sourceType": "server_session_cleanup", "data": data},
        backend=row["backend_type"],
    )
    assert note is not None
    recorder.append(tx, session_id, [note])
    invocations = tx.services.get(Invocations)
    if has_done or not session_id.startswith("trigger-") or not invocations.requeue(tx, session_id):
        invocations.fail(tx, session_id, ending.invocation_error, retry=ending.retry)
    return reference(queries.ref_row(tx, session_id)), row["backend_session_id"]


def _has_done(tx: ReadTx, row: Any) -> bool:
    seq = json.loads(row["metadata"]).get("turn_seq", 0)
    return tx.value(_PRODUCED, (row["id"], seq)) is not None
