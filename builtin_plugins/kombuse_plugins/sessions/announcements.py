"""What clients are told about sessions while they run."""

from collections.abc import Mapping
from typing import Any

from kombuse_plugins.sessions import queries
from kombuse_plugins.sessions.payloads import Entry
from kombuse_plugins.sessions.recorder import Channel
from kombuse_plugins.sessions.states import Ending
from kombuse_plugins.sessions.turns import Begun, Turn
from kombuse_sdk.contracts import Live
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.types import Kernel

__all__ = ["Announcer"]

EVERYTHING = "*"


def _topic(session_id: str) -> str:
    return f"session:{session_id}"


class Announcer:
    """Silent where nobody carries live messages."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def started(self, turn: Turn, begun: Begun) -> None:
        message = {
            "type": "agent.started",
            "kombuseSessionId": begun.ref.id,
            "ticketNumber": begun.ref.ticket_number,
            "ticketTitle": begun.ticket_title,
            "projectId": begun.ref.project_id,
            "agentName": begun.ref.agent_name,
            "effectiveBackend": begun.backend_type,
            "appliedModel": begun.model,
            "startedAt": begun.started_at,
        }
        self._publish([_topic(begun.ref.id), EVERYTHING], message, turn.sender)

    def event(self, channel: Channel, seq: int, item: Entry) -> None:
        message = {
            "type": "agent.event",
            "kombuseSessionId": channel.session_id,
            "seq": seq,
            "event": item.payload,
        }
        self._publish([_topic(channel.session_id)], message, channel.sender)

    def ended(self, begun: Begun, ending: Ending, resume_id: str | None, to: str | None) -> None:
        self.ended_session(begun.ref, ending, resume_id, to)

    def ended_session(
        self, ref: SessionRef, ending: Ending, resume_id: str | None, to: str | None = None
    ) -> None:
        message = {
            "type": "agent.complete",
            "kombuseSessionId": ref.id,
            "backendSessionId": resume_id,
            "ticketNumber": ref.ticket_number,
            "projectId": ref.project_id,
            "status": ending.status,
            "reason": ending.reason,
            "errorMessage": ending.error,
        }
        self._publish([_topic(ref.id), EVERYTHING], message, to)

    def ticket_status(self, ticket_id: int | None) -> None:
        if ticket_id is None or self._kernel.services.find(Live) is None:
            return
        with self._kernel.db.read() as tx:
            status = queries.ticket_status(tx, ticket_id)
        if status is not None:
            self._publish([EVERYTHING], {"type": "ticket.agent_status", **status}, None)

    def error(self, sender: str | None, message: str) -> None:
        if sender is not None:
            self._publish([], {"type": "error", "message": message}, sender)

    def _publish(self, topics: list[str], message: Mapping[str, Any], sender: str | None) -> None:
        live = self._kernel.services.find(Live)
        if live is not None:
            known = {key: value for key, value in message.items() if value is not None}
            live.publish(topics, known, sender=sender)
