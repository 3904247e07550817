"""The state machine of sessions: which events a state takes, and why a session ended.

`complete`, `fail`, `abort` and `stop` say so with an `Ending`, whose reason is given by whoever
knows it, never read out of an error text.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from kombuse_plugins.sessions import signals
from kombuse_sdk.errors import Conflict, NotFound
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = [
    "IDLE_TIMEOUT",
    "STATUS_OF",
    "Ending",
    "begin",
    "cleaned_up",
    "completed",
    "end",
    "failed",
    "idle_turn_timeout",
    "merge_metadata",
    "next_status",
    "stopped_by_user",
]

Change = Literal["start", "complete", "fail", "abort", "stop", "continue"]
End = Literal["complete", "fail", "abort", "stop"]

_TABLE: dict[tuple[str, Change], str] = {
    ("pending", "start"): "running",
    ("pending", "abort"): "aborted",
    ("running", "complete"): "completed",
    ("running", "fail"): "failed",
    ("running", "abort"): "aborted",
    ("running", "continue"): "running",
    ("completed", "stop"): "stopped",
    ("completed", "continue"): "running",
    ("failed", "continue"): "running",
    ("aborted", "continue"): "running",
    ("stopped", "continue"): "running",
}
STATUS_OF: dict[End, str] = {
    "complete": "completed",
    "fail": "failed",
    "abort": "aborted",
    "stop": "stopped",
}
_TIMES = {"complete": "completed_at", "fail": "failed_at", "abort": "aborted_at"}
_TERMINAL = ("terminal_reason", "terminal_source", "terminal_at", "terminal_error")
_FAILURES = frozenset(
    {
        "agent_error",
        "backend_stopped",
        "backend_timeout",
        "process_exit",
        "resume_failed",
        "turn_interrupted",
    }
)
USER_STOP = "Stopped by user"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a turn or a session ends.

    `reason` is the terminal reason of the API; `invocation_error` is what its invocations are told;
    `retry` says that another try may go better.
    """

    event: End
    reason: str
    source: str = "runtime"
    error: str | None = None
    retry: bool = False

    @property
    def status(self) -> str:
        return STATUS_OF[self.event]

    @property
    def invocation_error(self) -> str:
        if self.event != "abort":
            return self.error or self.reason
        return "session_aborted" if self.source == "runtime" else self.reason


def completed() -> Ending:
    return Ending(event="complete", reason="result")


def failed(error: str, reason: str = "agent_error", *, retry: bool = True) -> Ending:
    """`reason` is the backend's cause; one that the API does not know is an `agent_error`."""
    known = reason if reason in _FAILURES else "agent_error"
    return Ending(event="fail", reason=known, error=error or known, retry=retry)


def stopped_by_user(reason: str = "user_stop") -> Ending:
    return Ending(event="abort", reason=reason, error=USER_STOP)


def idle_turn_timeout() -> Ending:
    return Ending(event="abort", reason="idle_turn_timeout", error=USER_STOP, retry=True)


def cleaned_up(reason: str, source: str) -> Ending:
    return Ending(event="abort", reason=reason, source=source, retry=True)


IDLE_TIMEOUT = Ending(event="stop", reason="idle_timeout", source="idle_timeout")


def next_status(status: str, change: Change) -> str:
    """Raises Conflict for a change that the state does not take."""
    try:
        return _TABLE[status, change]
    except KeyError:
        raise Conflict(
            f"Invalid transition: cannot apply '{change}' to session in '{status}' state"
        ) from None


def begin(tx: WriteTx, row_id: str, **metadata: Any) -> None:
    """A turn starts: the first one, or one that goes on after whatever end."""
    status, values = _state(tx, row_id)
    next_status(status, "start" if status == "pending" else "continue")
    values = {k: v for k, v in values.items() if k not in _TERMINAL} | metadata
    sql = """
        UPDATE sessions SET status = 'running', completed_at = NULL, failed_at = NULL,
            aborted_at = NULL, metadata = :metadata, updated_at = :now
        WHERE id = :id
    """
    tx.execute(sql, {"id": row_id, "metadata": _dump(values), "now": tx.now})
    signals.updated(tx, row_id)


def end(tx: WriteTx, row_id: str, ending: Ending, **metadata: Any) -> None:
    """The turn or the session ends; Conflict when the state does not take this end."""
    status, values = _state(tx, row_id)
    values |= metadata
    if ending.event != "complete":
        values |= {
            "terminal_reason": ending.reason,
            "terminal_source": ending.source,
            "terminal_at": tx.now,
        }
        if ending.error is not None:
            values["terminal_error"] = ending.error[:2000]
    column = _TIMES.get(ending.event)
    stamp = "" if column is None else f"{column} = :now, "
    sql = f"""
        UPDATE sessions SET status = :status, {stamp} metadata = :metadata, updated_at = :now
        WHERE id = :id
    """
    new = next_status(status, ending.event)
    tx.execute(sql, {"id": row_id, "status": new, "metadata": _dump(values), "now": tx.now})
    signals.updated(tx, row_id)


def merge_metadata(tx: WriteTx, row_id: str, **values: Any) -> None:
    _, metadata = _state(tx, row_id)
    tx.execute(
        "UPDATE sessions SET metadata = ?, updated_at = ? WHERE id = ?",
        (_dump(metadata | values), tx.now, row_id),
    )


def _state(tx: ReadTx, row_id: str) -> tuple[str, dict[str, Any]]:
    row = NotFound.unless(
        tx.one("SELECT status, metadata FROM sessions WHERE id = ?", (row_id,)), "Session"
    )
    return row["status"], json.loads(row["metadata"])


def _dump(metadata: dict[str, Any]) -> str:
    return json.dumps(metadata, separators=(",", ":"))
