"""Turns: one message to an agent and all that follows, from the transaction that begins it on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kombuse_plugins.sessions import payloads, queries, recorder, resolution, states
from kombuse_plugins.sessions.secrets import redacted
from kombuse_sdk.agents import Image
from kombuse_sdk.contracts import Agents, Invocations
from kombuse_sdk.contracts.agents import Agent
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.errors import NotFound
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["Begun", "Busy", "Turn", "begin", "reference"]

_UPDATE = """
    UPDATE sessions SET backend_type = :backend, backend_session_id = :resume, agent_id = :agent,
        prompt_preview = coalesce(prompt_preview, :preview)
    WHERE id = :id
"""


class Busy(Exception):
    """The session is in a turn already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a turn runs with. `seq` is the number of the user's message in the record."""

    row_id: str
    ref: SessionRef
    agent: Agent | None
    backend_type: str
    model: str | None
    resume_id: str | None
    seq: int
    started_at: str
    ticket_title: str | None
    spent_usd: float
    user_entry: payloads.Entry

    @property
    def config(self) -> Mapping[str, Any]:
        return self.agent.config if self.agent else {}


@dataclass(slots=True, kw_only=True)
class Turn:
    """A message that waits for its turn; `begun` is set when a claim has begun it already.

    `sender` is the client that gets what is streamed, whatever it subscribes to.
    """

    session_id: str
    message: str
    images: tuple[Image, ...] = ()
    sender: str | None = None
    user_event_id: str | None = None
    agent_id: str | None = None
    backend_type: str | None = None
    model: str | None = None
    event: Mapping[str, Any] | None = None
    comment_id: int | None = None
    is_triggered: bool = False
    begun: Begun | None = field(default=None)


def reference(row: Any) -> SessionRef:
    return SessionRef(
        id=row["kombuse_session_id"],
        agent_id=row["agent_id"],
        agent_name=row["agent_name"],
        project_id=row["project_id"],
        ticket_id=row["ticket_id"],
        ticket_number=row["ticket_number"],
    )


def begin(tx: WriteTx, turn: Turn) -> Begun:
    """Set the session to `running`, store the message, open the invocation of a chat.

    Raises Busy, and NotFound when the session was deleted.
    """
    row = NotFound.unless(queries.row(tx, turn.session_id), "Session")
    if row["status"] == "running":
        raise Busy
    agent_id = row["agent_id"] or turn.agent_id
    agent = None if agent_id is None else tx.services.get(Agents).get(tx, agent_id)
    config: Mapping[str, Any] = agent.config if agent else {}
    backend = resolution.backend_type(
        tx, turn.backend_type, row["backend_type"], config.get("backend_type")
    )
    switched = row["backend_type"] not in (None, backend)
    model, preference = _model(tx, turn, row, config)
    applied = None if backend == "mock" else model
    _mark(tx, row["id"], agent, backend, applied, preference, row["last_event_seq"] + 1)
    resume_id = None if switched else row["backend_session_id"]
    values = {
        "id": row["id"],
        "backend": backend,
        "resume": resume_id,
        "agent": agent.id if agent else None,
        "preview": redacted(turn.message)[:80] if row["last_event_seq"] == 0 else None,
    }
    tx.execute(_UPDATE, values)
    entry = _message(turn, backend)
    recorder.append(tx, turn.session_id, [entry])
    ref = reference(queries.ref_row(tx, turn.session_id))
    if agent is not None and not turn.is_triggered:
        _open_invocation(tx, agent, ref, row["id"])
    return Begun(
        row_id=row["id"],
        ref=ref,
        agent=agent,
        backend_type=backend,
        model=applied,
        resume_id=resume_id,
        seq=row["last_event_seq"] + 1,
        started_at=tx.now,
        ticket_title=_title(tx, ref.ticket_id),
        spent_usd=row["cost_usd"],
        user_entry=entry,
    )


def _message(turn: Turn, backend: str) -> payloads.Entry:
    content = turn.message + payloads.image_lines(turn.images)
    entry = payloads.entry(
        "message",
        {"role": "user", "content": content},
        backend=backend,
        event_id=turn.user_event_id,
    )
    assert entry is not None
    return entry


def _open_invocation(tx: WriteTx, agent: Agent, ref: SessionRef, row_id: str) -> None:
    invocations = tx.services.get(Invocations)
    invocation_id = invocations.begin_chat(
        tx, agent.id, ref.id, project_id=ref.project_id, ticket_id=ref.ticket_id
    )
    invocations.attach_session(tx, invocation_id, ref.id, row_id)


def _model(
    tx: ReadTx, turn: Turn, row: Any, config: Mapping[str, Any]
) -> tuple[str | None, str | None]:
    """The model of the run, and the preference that the session keeps."""
    sql = "SELECT metadata ->> '$.model_preference' FROM sessions WHERE id = ?"
    sticky = tx.value(sql, (row["id"],))
    preference = resolution.text(sticky) or resolution.text(turn.model)
    return resolution.model(tx, preference, config.get("model")), preference


def _mark(
    tx: WriteTx,
    row_id: str,
    agent: Agent | None,
    backend: str,
    model: str | None,
    preference: str | None,
    seq: int,
) -> None:
    metadata: dict[str, Any] = {
        "effective_backend": backend,
        "applied_model": model,
        "model_preference": preference,
        "turn_seq": seq,
    }
    if agent is not None:
        tokens = resolution.thinking_tokens(agent.config)
        metadata |= {
            "agent_preset_type": agent.preset.type,
            "permission_mode": agent.preset.permission_mode,
            "thinking_enabled": tokens is not None,
            "thinking_budget": tokens,
        }
    states.begin(tx, row_id, **metadata)


def _title(tx: ReadTx, ticket_id: int | None) -> str | None:
    if ticket_id is None:
        return None
    found: str | None = tx.value("SELECT title FROM tickets WHERE id = ?", (ticket_id,))
    return found
