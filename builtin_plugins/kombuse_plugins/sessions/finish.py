"""The end of a turn: state, cost, invocations, and comments on the ticket, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kombuse_plugins.sessions import queries, states, usage
from kombuse_plugins.sessions.cleanup import SHUTDOWN, abort
from kombuse_plugins.sessions.replies import post_last_words, post_plan
from kombuse_plugins.sessions.states import Ending
from kombuse_plugins.sessions.turns import Begun
from kombuse_sdk.agents import Usage
from kombuse_sdk.contracts import Invocations
from kombuse_sdk.storage import WriteTx

__all__ = ["Outcome", "finish"]

_MAX_REMEMBERED = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a turn ended and what it left."""

    ending: Ending
    resume_id: str | None = None
    usage: Usage | None = None
    last_text: str | None = None
    has_commented: bool = False
    plan: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


def finish(tx: WriteTx, begun: Begun, outcome: Outcome) -> None:
    """A session that was deleted meanwhile, or ended by a cleanup, is left as it is."""
    ending, invocations = outcome.ending, tx.services.get(Invocations)
    row = queries.row(tx, begun.ref.id)
    is_running = row is not None and row["status"] == "running"
    if ending.source == SHUTDOWN.source:
        if is_running:
            _remember(tx, begun, outcome)
            abort(tx, row, ending)
        return
    if is_running:
        _end(tx, begun, outcome)
    if ending.event == "complete":
        invocations.complete(tx, begun.ref.id)
    else:
        invocations.fail(tx, begun.ref.id, ending.invocation_error, retry=ending.retry)
    if row is None:
        return
    if outcome.plan is not None:
        post_plan(tx, begun.ref, begun.row_id, outcome.plan)
    if ending.event == "complete" and outcome.last_text and not outcome.has_commented:
        post_last_words(tx, begun.ref, outcome.last_text)


def _end(tx: WriteTx, begun: Begun, outcome: Outcome) -> None:
    _remember(tx, begun, outcome)
    metadata = {**outcome.metadata, "didCallAddComment": outcome.has_commented}
    if outcome.last_text is not None:
        metadata["lastAssistantMessage"] = outcome.last_text[:_MAX_REMEMBERED]
    if outcome.usage is not None:
        usage.add(tx, begun.row_id, begun.ref, outcome.usage)
    states.end(tx, begun.row_id, outcome.ending, **metadata)


def _remember(tx: WriteTx, begun: Begun, outcome: Outcome) -> None:
    """By what the backend goes on with this conversation."""
    if outcome.resume_id is not None:
        sql = "UPDATE sessions SET backend_session_id = ? WHERE id = ?"
        tx.execute(sql, (outcome.resume_id, begun.row_id))
