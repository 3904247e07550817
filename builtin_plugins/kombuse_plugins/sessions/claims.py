"""Triggered runs: pending invocations become turns of sessions, in one transaction each time."""

import logging
import uuid
from typing import Any

from kombuse_plugins.sessions import context, queries, signals
from kombuse_plugins.sessions.models import SessionRow
from kombuse_plugins.sessions.schemas import SESSION_ID
from kombuse_plugins.sessions.turns import Turn, begin
from kombuse_sdk.contracts import Invocations
from kombuse_sdk.contracts.invocations import Invocation
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["claim", "new_session"]

log = logging.getLogger("kombuse.sessions")


def claim(tx: WriteTx, room: int) -> tuple[list[Turn], bool]:
    """Up to `room` turns that have begun, and whether more invocations may be waiting.

    An invocation whose turn cannot begin fails alone.
    """
    invocations = tx.services.get(Invocations)
    turns: list[Turn] = []
    for taken in range(room):
        invocation = invocations.claim_next(tx, room - taken)
        if invocation is None:
            return turns, False
        tx.execute("SAVEPOINT claim")
        try:
            turns.append(_begin(tx, invocation))
        except Exception as error:
            log.exception("invocation %s cannot begin", invocation.id)
            tx.execute("ROLLBACK TO claim")
            reason = f"The run cannot begin: {type(error).__name__}: {error}"
            invocations.abandon(tx, invocation.id, reason, retry=False)
        tx.execute("RELEASE claim")
    return turns, True


def new_session(tx: WriteTx, session_id: str, **values: Any) -> str:
    """A pending session; its row id."""
    row_id = str(uuid.uuid4())
    times = dict.fromkeys(("created_at", "updated_at", "started_at"), tx.now)
    tx.insert(SessionRow, id=row_id, kombuse_session_id=session_id, **times, **values)
    signals.updated(tx, row_id)
    return row_id


def _begin(tx: WriteTx, invocation: Invocation) -> Turn:
    event = context.event_of(tx, invocation.event_id)
    session_id = _session_of(tx, invocation, event)
    row = queries.row(tx, session_id)
    if row is None:
        row_id = new_session(
            tx,
            session_id,
            agent_id=invocation.agent_id,
            project_id=invocation.project_id,
            ticket_id=invocation.ticket_id,
        )
    else:
        row_id = row["id"]
    tx.services.get(Invocations).attach_session(tx, invocation.id, session_id, row_id)
    turn = Turn(
        session_id=session_id,
        message=context.message_of(tx, invocation.context, event),
        agent_id=invocation.agent_id,
        event=event,
        comment_id=invocation.comment_id,
        is_triggered=True,
    )
    turn.begun = begin(tx, turn)
    return turn


def _session_of(tx: ReadTx, invocation: Invocation, event: dict[str, Any] | None) -> str:
    """The session that the run goes on with, unless that one is in a turn, else a new one.

    It is that of its earlier attempt; or that of the agent's own run which the event tells of; or,
    for a mention of the agent, its newest one on the ticket.
    """
    wanted = (
        invocation.kombuse_session_id
        or _own(invocation, event)
        or _mentioned(tx, invocation, event)
    )
    if wanted is not None and SESSION_ID.fullmatch(wanted):
        row = queries.row(tx, wanted)
        if row is None or row["status"] != "running":
            return wanted
    return f"trigger-{uuid.uuid4()}"


def _own(invocation: Invocation, event: dict[str, Any] | None) -> str | None:
    if event is None or not event["event_type"].startswith("agent."):
        return None
    found: str | None = event["kombuse_session_id"]
    return found if event["actor_id"] == invocation.agent_id else None


def _mentioned(tx: ReadTx, invocation: Invocation, event: dict[str, Any] | None) -> str | None:
    if event is None or event["event_type"] != "mention.created" or invocation.ticket_id is None:
        return None
    payload = event["payload"]
    is_meant = payload.get("mention_type") == "profile" and (
        payload.get("mentioned_profile_id") == invocation.agent_id
    )
    return queries.resumable(tx, invocation.agent_id, invocation.ticket_id) if is_meant else None
