"""The life of invocations: queued, claimed, ended; the provider of the Invocations contract."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kombuse_plugins.triggers import guards, queries
from kombuse_plugins.triggers.guards import Refusal, is_tripped
from kombuse_plugins.triggers.models import InvocationRow
from kombuse_plugins.triggers.queries import next_due
from kombuse_plugins.triggers.schemas import InvocationFilter
from kombuse_sdk.contracts import Agents, Comments, Projects, Sessions, Tickets
from kombuse_sdk.contracts.agents import Agent
from kombuse_sdk.contracts.invocations import Invocation
from kombuse_sdk.errors import NotFound
from kombuse_sdk.events import Event, StoredEvent
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = [
    "abandon",
    "attach_session",
    "begin_chat",
    "claim_next",
    "complete",
    "fail",
    "get",
    "is_tripped",
    "newest_of_session",
    "next_due",
    "page",
    "queue",
    "recover",
    "requeue",
    "wake",
]

_MOST_REFUSALS = 100  # in one transaction
_FIRST_RETRY_SECONDS = 5
_LONGEST_RETRY_SECONDS = 24 * 3600


def page(tx: ReadTx, query: InvocationFilter) -> JsonText:
    """An unknown project has no invocations."""
    if query.project_id is None:
        return queries.invocations(tx, query, None)
    project_id = tx.services.get(Projects).resolve(tx, query.project_id)
    return JsonText(b"[]") if project_id is None else queries.invocations(tx, query, project_id)


def get(tx: ReadTx, invocation_id: int) -> JsonText:
    return NotFound.unless(queries.invocation(tx, invocation_id), "Invocation")


def queue(tx: WriteTx, event: StoredEvent, trigger_id: int, agent: Agent, run_at: str) -> int:
    """A pending invocation; its id."""
    context = {
        "event_id": event.id,
        "event_type": event.event_type,
        "project_id": event.project_id,
        "ticket_id": event.ticket_id,
        "comment_id": event.comment_id,
    }
    made: int = tx.insert(
        InvocationRow,
        agent_id=agent.id,
        trigger_id=trigger_id,
        event_id=event.id,
        project_id=event.project_id,
        ticket_id=event.ticket_id,
        origin="trigger",
        is_by_person=event.actor_type == "user",
        max_attempts=_max_attempts(agent),
        run_at=run_at,
        context=json.dumps(context),
        created_at=tx.now,
    )
    return made


def claim_next(tx: WriteTx, capacity: int) -> Invocation | None:
    if capacity <= 0:
        return None
    saturated = guards.saturated(tx)
    for _ in range(_MOST_REFUSALS):
        row = queries.next_pending(tx, saturated)
        if row is None:
            return None
        agent = tx.services.get(Agents).get(tx, row["agent_id"])
        refusal = guards.refusal(tx, row, agent)
        if refusal is None:
            return _start(tx, row)
        _refuse(tx, row, refusal)
    wake(tx)
    return None


def begin_chat(tx: WriteTx, agent_id: str, session_id: str, **context: Any) -> int:
    newest = queries.newest_of_session(tx, session_id)
    is_same = newest is not None and newest["agent_id"] == agent_id
    if newest is not None and is_same and newest["status"] == "running":
        running: int = newest["id"]
        return running
    agent = tx.services.get(Agents).get(tx, agent_id)
    if newest is not None and is_same:
        kept = ("trigger_id", "event_id", "project_id", "ticket_id", "is_by_person", "context")
        values = {name: newest[name] for name in kept} | {"origin": "continuation"}
    else:
        given = {"project_id": context.get("project_id"), "ticket_id": context.get("ticket_id")}
        values = {
            **given,
            "origin": "chat",
            "context": json.dumps({"event_type": "chat.started", **given}),
        }
    made: int = tx.insert(
        InvocationRow,
        **values,
        agent_id=agent_id,
        session_id=newest["session_id"] if newest else None,
        kombuse_session_id=session_id,
        status="running",
        max_attempts=_max_attempts(agent),
        run_at=tx.now,
        started_at=tx.now,
        created_at=tx.now,
    )
    return made


def attach_session(
    tx: WriteTx, invocation_id: int, kombuse_session_id: str, session_id: str | None = None
) -> None:
    changes = {"kombuse_session_id": kombuse_session_id, "session_id": session_id}
    tx.update(InvocationRow, invocation_id, **changes)
    row = queries.invocation_row(tx, invocation_id)
    if row is not None and row["origin"] == "trigger":
        _emit(tx, "agent.started", row, {})


def complete(tx: WriteTx, kombuse_session_id: str) -> None:
    for row in queries.running_of_session(tx, kombuse_session_id):
        _end(tx, row, "completed", None)
        _emit(tx, "agent.completed", row, _completing(tx, row))


def fail(tx: WriteTx, kombuse_session_id: str, error: str, *, retry: bool) -> None:
    for row in queries.running_of_session(tx, kombuse_session_id):
        _fail(tx, row, error, retry)


def abandon(tx: WriteTx, invocation_id: int, error: str, *, retry: bool) -> None:
    row = queries.invocation_row(tx, invocation_id)
    if row is not None and row["status"] == "running":
        _fail(tx, row, error, retry)


def requeue(tx: WriteTx, kombuse_session_id: str) -> int:
    sql = """
        UPDATE agent_invocations
        SET status = 'pending', attempts = max(attempts - 1, 0), started_at = NULL
        WHERE kombuse_session_id = ? AND status = 'running' AND origin = 'trigger'
    """
    requeued = tx.execute(sql, (kombuse_session_id,))
    if requeued:
        wake(tx)
    return requeued


def newest_of_session(tx: ReadTx, kombuse_session_id: str) -> Invocation | None:
    row = queries.newest_of_session(tx, kombuse_session_id)
    return None if row is None else _invocation(row)


def recover(tx: WriteTx) -> None:
    """At start: what was claimed but never got a session waits again, as if it had not been."""
    sql = """
        UPDATE agent_invocations
        SET status = 'pending', attempts = max(attempts - 1, 0), started_at = NULL
        WHERE status = 'running' AND kombuse_session_id IS NULL
    """
    tx.execute(sql)


def wake(tx: WriteTx) -> None:
    sessions = tx.services.find(Sessions)
    if sessions is not None:
        tx.after_commit(sessions.wake)


def _start(tx: WriteTx, row: Row) -> Invocation:
    changes = {
        "status": "running",
        "attempts": row["attempts"] + 1,
        "started_at": tx.now,
        "error": None,
    }
    tx.update(InvocationRow, row["id"], **changes)
    return _invocation(dict(row) | changes)


def _refuse(tx: WriteTx, row: Row, refusal: Refusal) -> None:
    stop = ("told" if refusal.is_told else "silent") if refusal.is_loop else None
    _end(tx, row, "failed", refusal.error, loop_stop=stop)
    if not refusal.is_told:
        return
    told = dict(row) | {"kombuse_session_id": None}
    _emit(tx, "agent.failed", told, _completing(tx, row) | {"error": refusal.error})
    if refusal.is_loop:
        _give_notice(tx, row, refusal.error)


def _give_notice(tx: WriteTx, row: Row, error: str) -> None:
    comments = tx.services.find(Comments)
    ticket = tx.services.get(Tickets).by_id(tx, row["ticket_id"])
    if comments is not None and ticket is not None:
        body = f"**Agent loop detected** — {error}"
        comments.add(tx, ticket, author_id=row["agent_id"], body=body, parse_mentions=False)


def _fail(tx: WriteTx, row: Row, error: str, retry: bool) -> None:
    agent = tx.services.get(Agents).get(tx, row["agent_id"])
    is_wanted = retry and agent is not None and agent.config.get("retry_on_failure") is True
    if is_wanted and row["attempts"] < row["max_attempts"]:
        tx.update(
            InvocationRow, row["id"], status="pending", error=error, run_at=_next_try(tx, row)
        )
        wake(tx)
        return
    _end(tx, row, "failed", error)
    _emit(tx, "agent.failed", row, _completing(tx, row) | {"error": error})


def _next_try(tx: ReadTx, row: Row) -> str:
    """5 seconds after the first attempt, then always twice as long."""
    seconds = _FIRST_RETRY_SECONDS * 2 ** min(max(row["attempts"] - 1, 0), 30)
    pause = timedelta(seconds=min(seconds, _LONGEST_RETRY_SECONDS))
    return timestamp(datetime.fromisoformat(tx.now) + pause)


def _end(tx: WriteTx, row: Row, status: str, error: str | None, **more: Any) -> None:
    values = {"status": status, "error": error, "completed_at": tx.now}
    tx.update(InvocationRow, row["id"], **values, **more)


def _emit(tx: WriteTx, event_type: str, row: Row, payload: Mapping[str, Any]) -> None:
    """Only what has a ticket is told: the log of a project is not that of its agents."""
    if row["ticket_id"] is None:
        return
    tx.emit(
        Event(
            event_type=event_type,
            actor_type="agent",
            actor_id=row["agent_id"],
            project_id=row["project_id"],
            ticket_id=row["ticket_id"],
            kombuse_session_id=row["kombuse_session_id"],
            payload={"invocation_id": row["id"], "agent_id": row["agent_id"], **payload},
        )
    )


def _completing(tx: ReadTx, row: Row) -> dict[str, Any]:
    agent = tx.services.get(Agents).get(tx, row["agent_id"])
    kind = agent.preset.type if agent else None
    return {"completing_agent_id": row["agent_id"], "completing_agent_type": kind}


def _max_attempts(agent: Agent | None) -> int:
    retries = agent.config.get("max_retries", 2) if agent else 2
    return int(retries) + 1


def _invocation(row: Row) -> Invocation:
    context = json.loads(row["context"])
    return Invocation(
        id=row["id"],
        agent_id=row["agent_id"],
        trigger_id=row["trigger_id"],
        event_id=row["event_id"],
        project_id=row["project_id"],
        ticket_id=row["ticket_id"],
        comment_id=context.get("comment_id"),
        kombuse_session_id=row["kombuse_session_id"],
        status=row["status"],
        attempts=row["attempts"],
        max_attempts=row["max_attempts"],
        context=context,
    )
