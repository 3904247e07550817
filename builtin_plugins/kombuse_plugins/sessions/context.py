"""The variables of a prompt, and what a triggered agent is told happened."""

import json
from collections.abc import Mapping
from typing import Any, cast

from kombuse_sdk.contracts import Agents, Comments, Profiles, Projects, Tickets
from kombuse_sdk.errors import NotFound
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row
from kombuse_sdk.visible import visible_json, visible_values

__all__ = ["event_of", "instructions", "message_of", "variables"]

_EVENT = "SELECT * FROM events WHERE id = ?"
_SESSION = (
    "<kombuse-session>\nYour kombuse_session_id is {}. Pass it to every tool of the MCP server"
    " kombuse that takes one.\n</kombuse-session>"
)


def event_of(tx: ReadTx, event_id: int | None) -> dict[str, Any] | None:
    """The event that caused a run, its payload as an object."""
    row: Row | None = None if event_id is None else tx.one(_EVENT, (event_id,))
    return None if row is None else {**row, "payload": json.loads(row["payload"])}


def message_of(tx: ReadTx, context: Mapping[str, Any], event: Mapping[str, Any] | None) -> str:
    """The message that starts a triggered run."""
    ticket_id = context.get("ticket_id")
    ref = None if ticket_id is None else tx.services.get(Tickets).by_id(tx, ticket_id)
    ticket = ref.number if ref else ticket_id
    payload = json.dumps(event["payload"] if event else {}, ensure_ascii=False, indent=2)
    lines = (
        f"Event: {context.get('event_type') or (event or {}).get('event_type') or 'N/A'}",
        f"Ticket: #{'N/A' if ticket is None else ticket}",
        f"Project: {context.get('project_id') or 'N/A'}",
        "",
        "Payload:",
        visible_json(payload),
    )
    return "\n".join(lines)


def variables(
    tx: ReadTx,
    *,
    session_id: str,
    backend_type: str,
    project_id: str | None,
    ticket_id: int | None,
    comment_id: int | None = None,
    event: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Texts as an agent should read them: what they hide is shown."""
    ticket = None if ticket_id is None else tx.services.get(Tickets).by_id(tx, ticket_id)
    event = event or {}
    found = {
        "event_type": event.get("event_type", ""),
        "ticket_id": ticket_id,
        "ticket_number": ticket.number if ticket else None,
        "project_id": project_id,
        "comment_id": comment_id,
        "actor_id": event.get("actor_id"),
        "actor_type": event.get("actor_type", "user"),
        "payload": event.get("payload", {}),
        "agents": tx.services.get(Agents).listing(tx, project_id),
        "kombuse_session_id": session_id,
        "backend_type": backend_type,
        "desktop_context": {
            "docs_db_exists": False,
            "docs_db_project_count": 0,
            "docs_db_ticket_count": 0,
            "demo_project_id": None,
        },
    }
    if ticket is not None:
        tickets = tx.services.get(Tickets)
        _add(found, "ticket", lambda: tickets.get(tx, ticket.project_id, ticket.number))
    if project_id is not None:
        _add(found, "project", lambda: tx.services.get(Projects).get(tx, project_id))
    comments = tx.services.find(Comments)
    if comment_id is not None and comments is not None:
        _add(found, "comment", lambda: comments.get(tx, comment_id))
    actor_id = event.get("actor_id")
    if actor_id is not None:
        _add(found, "actor", lambda: tx.services.get(Profiles).get(tx, actor_id))
    return cast(dict[str, Any], visible_values(found))


def instructions(
    agent: str | None, project: str | None, prior: str | None, session_id: str
) -> str | None:
    """The whole system prompt: the project's file, the agent's prompt, what was said before.

    An agent whose prompt does not name its session is told: without it our tools would take it for
    anybody, who may write nothing.
    """
    text = agent if agent and agent.strip() else None
    if project and project.strip():
        parts = [f"<project-instructions>\n{project.strip()}\n</project-instructions>"]
        if text is not None:
            parts.append(f"<agent-instructions>\n{text}\n</agent-instructions>")
        text = "\n\n".join(parts)
    if agent is not None and session_id not in (text or ""):
        text = f"{text or ''}\n\n{_SESSION.format(session_id)}".lstrip("\n")
    if prior:
        text = f"{text or ''}\n\n{prior}".lstrip("\n")
    return text


def _add(found: dict[str, Any], name: str, get: Any) -> None:
    try:
        value: JsonText = get()
    except NotFound:
        return
    found[name] = value.load()
