"""Sessions: live agents and their records."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from kombuse_sdk.storage import ReadTx

__all__ = ["Prompts", "SessionRef", "Sessions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRef:
    """Whose session it is, and what it works on."""

    id: str
    agent_id: str | None = None
    agent_name: str | None = None
    project_id: str | None = None
    ticket_id: int | None = None
    ticket_number: int | None = None


class Sessions(Protocol):
    """`session_id` is the public id (`chat-...`, `trigger-...`) everywhere."""

    def ref(self, tx: ReadTx, session_id: str) -> SessionRef | None: ...

    def is_running(self, tx: ReadTx, session_id: str) -> bool:
        """Whether this session is in a turn right now."""
        ...

    def record(self, session_id: str, event_type: str, payload: Mapping[str, Any]) -> None:
        """Append to the session's events and stream it. From any thread; never blocks."""
        ...

    def wake(self) -> None:
        """There may be a new invocation to run. From any thread, after the commit."""
        ...

    def stop(self, session_id: str, reason: str = "user_stop") -> bool:
        """Stop the live run of a session; False when there is none. From any thread."""
        ...

    def active(self, tx: ReadTx, project_id: str | None = None) -> list[dict[str, Any]]:
        """`activeSessions` of the sync state: the sessions in a turn, newest update first."""
        ...

    def ticket_statuses(self, tx: ReadTx, project_id: str | None = None) -> list[dict[str, Any]]:
        """`ticketAgentStatuses` of the sync state: {ticketNumber, projectId, status, sessionCount}.

        Of the tickets that have a running, pending or failed session.
        """
        ...

    def stop_backend(self, backend_type: str) -> int:
        """Stop every live run of a backend; how many there were. From any thread."""
        ...

    def stop_agent(self, agent_id: str) -> int:
        """Stop every live run of an agent; how many there were. From any thread."""
        ...


class Prompts(Protocol):
    def fault(self, template: str) -> str | None:
        """What is wrong with how a system prompt is written, with its line; None for nothing.

        Only a run shows whether what it includes and computes is there.
        """
        ...
