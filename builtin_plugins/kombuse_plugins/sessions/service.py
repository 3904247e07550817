"""Rules of sessions: making, reading and deleting them, and who may chat with whom."""

import json
import uuid
from dataclasses import dataclass
from typing import Any

from kombuse_plugins.sessions import queries, resolution, signals, states
from kombuse_plugins.sessions.claims import new_session
from kombuse_plugins.sessions.schemas import EventFilter, ImageInput, SessionCreate
from kombuse_plugins.sessions.turns import Turn
from kombuse_sdk.agents import Image
from kombuse_sdk.contracts import Agents, Invocations, Projects, Tickets
from kombuse_sdk.contracts.agents import Agent
from kombuse_sdk.errors import BadRequest, Invalid, NotFound, issue
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["Chat", "accept", "create", "delete", "events", "get", "require"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """What a client sends to an agent. A session that does not exist is made, unless it must."""

    message: str
    session_id: str | None = None
    must_exist: bool = False
    agent_id: str | None = None
    project_id: str | None = None
    ticket_number: int | None = None
    backend_type: str | None = None
    model: str | None = None
    user_event_id: str | None = None
    images: tuple[ImageInput, ...] = ()
    sender: str | None = None


def get(tx: ReadTx, session_id: str) -> JsonText:
    return NotFound.unless(queries.one(tx, session_id), "Session")


def require(tx: ReadTx, session_id: str) -> Any:
    return NotFound.unless(queries.row(tx, session_id), "Session")


def events(tx: ReadTx, session_id: str, query: EventFilter) -> JsonText:
    return queries.events(tx, require(tx, session_id), query)


def create(tx: WriteTx, body: SessionCreate | None) -> JsonText:
    body = body or SessionCreate()
    agent = None if body.agent_id is None else _chat_agent(tx, body.agent_id)
    project_id = _project(tx, body.project_id)
    backend = _backend(tx, body.backend_type, agent)
    session_id = f"chat-{uuid.uuid4()}"
    metadata = {
        "effective_backend": backend,
        "model_preference": resolution.text(body.model_preference),
        "applied_model": None,
    }
    row_id = new_session(
        tx,
        session_id,
        backend_type=backend,
        agent_id=agent.id if agent else None,
        project_id=project_id,
    )
    states.merge_metadata(tx, row_id, **metadata)
    return get(tx, session_id)


def delete(tx: WriteTx, session_id: str) -> None:
    """With its events; invocations and what it cost stay."""
    row = require(tx, session_id)
    if row["status"] == "running":
        tx.services.get(Invocations).fail(tx, session_id, "session_aborted", retry=False)
    signals.updated(tx, row["id"], "deleted")
    tx.execute("DELETE FROM sessions WHERE id = ?", (row["id"],))


def accept(tx: WriteTx, chat: Chat) -> Turn:
    """A message of a person becomes a turn that waits, of a session that exists."""
    session_id = chat.session_id or f"chat-{uuid.uuid4()}"
    row = queries.row(tx, session_id)
    if row is None and chat.must_exist:
        raise NotFound("Session not found")
    if not chat.message.strip() and not chat.images:
        raise BadRequest("The message is empty")
    agent = _agent_of_chat(tx, chat, session_id, row)
    if chat.backend_type is not None:
        _require_backend(tx, chat.backend_type, "backendType")
    if row is None:
        project_id = _project(tx, chat.project_id)
        new_session(
            tx,
            session_id,
            agent_id=agent.id if agent else None,
            project_id=project_id,
            ticket_id=_ticket(tx, project_id, chat.ticket_number),
        )
    else:
        _bind(tx, row, chat, agent)
    return Turn(
        session_id=session_id,
        message=chat.message,
        images=tuple(Image(data=i.data, media_type=i.mediaType) for i in chat.images),
        sender=chat.sender,
        user_event_id=chat.user_event_id,
        agent_id=agent.id if agent else None,
        backend_type=chat.backend_type,
        model=chat.model,
    )


def _bind(tx: WriteTx, row: Any, chat: Chat, agent: Agent | None) -> None:
    """A session that is not used yet takes what the first message says it is about."""
    changes: dict[str, Any] = {}
    if agent is not None and agent.id != row["agent_id"]:
        changes["agent_id"] = agent.id
    project_id = _project(tx, chat.project_id)
    if row["status"] == "pending" and project_id is not None:
        if row["project_id"] is None:
            changes["project_id"] = project_id
        if row["ticket_id"] is None and row["project_id"] in (None, project_id):
            changes["ticket_id"] = _ticket(tx, project_id, chat.ticket_number)
    if changes:
        assignments = ", ".join(f"{name} = :{name}" for name in changes)
        sql = f"UPDATE sessions SET {assignments}, updated_at = :now WHERE id = :id"
        tx.execute(sql, changes | {"now": tx.now, "id": row["id"]})
        signals.updated(tx, row["id"])


def _agent_of_chat(tx: ReadTx, chat: Chat, session_id: str, row: Any) -> Agent | None:
    """The agent that is named, else that of the session; one that may not chat is refused.

    A triggered session goes on with its agent, whatever that says about chats.
    """
    agent_id = chat.agent_id or (row["agent_id"] if row else None)
    if agent_id is None:
        newest = tx.services.get(Invocations).newest_of_session(tx, session_id) if row else None
        agent_id = newest.agent_id if newest else None
    if agent_id is None:
        return None
    agent = tx.services.get(Agents).get(tx, agent_id)
    if agent is None:
        raise NotFound(f"Agent {agent_id} not found")
    if not agent.is_enabled:
        raise BadRequest(f"Agent {agent_id} is disabled")
    if session_id.startswith("chat-") and not agent.config.get("enabled_for_chat"):
        raise BadRequest("Agent is not enabled for chat")
    return agent


def _chat_agent(tx: ReadTx, agent_id: str) -> Agent:
    agent = NotFound.unless(tx.services.get(Agents).get(tx, agent_id), "Agent")
    if not agent.is_enabled:
        raise BadRequest("Agent is disabled")
    if not agent.config.get("enabled_for_chat"):
        raise BadRequest("Agent is not enabled for chat")
    return agent


def _project(tx: ReadTx, reference: str | None) -> str | None:
    if reference is None:
        return None
    return NotFound.unless(tx.services.get(Projects).resolve(tx, reference), "Project")


def _ticket(tx: ReadTx, project_id: str | None, number: int | None) -> int | None:
    if project_id is None or number is None:
        return None
    ticket = tx.services.get(Tickets).find(tx, project_id, number)
    return ticket.id if ticket else None


def _backend(tx: ReadTx, given: str | None, agent: Agent | None) -> str:
    if given is not None:
        _require_backend(tx, given, "backend_type")
    return resolution.backend_type(tx, given, agent.config.get("backend_type") if agent else None)


def _require_backend(tx: ReadTx, name: str, field: str) -> None:
    known = resolution.backend_names(tx.kernel)
    if name not in known:
        message = f"Expected one of {', '.join(json.dumps(item) for item in known)}"
        raise Invalid(issue("invalid_value", [field], message, values=known))
