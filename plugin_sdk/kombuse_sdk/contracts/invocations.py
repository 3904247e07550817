"""Invocations: runs of an agent, by a trigger or a chat."""

from dataclasses import dataclass
from typing import Any, Protocol

from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["Invocation", "Invocations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    id: int
    agent_id: str
    trigger_id: int | None
    event_id: int | None
    project_id: str | None
    ticket_id: int | None
    comment_id: int | None
    kombuse_session_id: str | None
    status: str
    attempts: int
    max_attempts: int
    context: dict[str, Any]


class Invocations(Protocol):
    def claim_next(self, tx: WriteTx, capacity: int) -> Invocation | None:
        """The next pending invocation that may run now, set to `running`; None when there is none.

        Applies the guards (agent gone or disabled, loop protection, one active run per agent and
        ticket, attempts, per-agent limit): invocations that may not run end as failed here.
        """
        ...

    def begin_chat(self, tx: WriteTx, agent_id: str, session_id: str, **context: Any) -> int:
        """An invocation for a chat turn (or its continuation); its id."""
        ...

    def attach_session(self, tx: WriteTx, invocation_id: int, kombuse_session_id: str) -> None: ...

    def complete(self, tx: WriteTx, kombuse_session_id: str) -> None:
        """End the running invocations of a session well, with `agent.completed` on its ticket."""
        ...

    def fail(self, tx: WriteTx, kombuse_session_id: str, error: str, *, retry: bool) -> None:
        """End them as failed with `agent.failed`, or queue them again when a retry is due."""
        ...

    def newest_of_session(self, tx: ReadTx, kombuse_session_id: str) -> Invocation | None: ...

    def next_due(self, tx: ReadTx) -> str | None:
        """When the earliest pending invocation that is put off becomes due."""
        ...
