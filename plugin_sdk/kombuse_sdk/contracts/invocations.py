"""Invocations: runs of an agent, by a trigger or a chat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from kombuse_sdk.packages import Installation
from kombuse_sdk.storage import ReadTx, WriteTx

if TYPE_CHECKING:
    from kombuse_sdk.agent_files import TriggerInFile

__all__ = [
    "AgentTriggers",
    "Invocation",
    "Invocations",
    "PackagedTriggers",
    "Triggers",
]


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

        `capacity` is how many more runs there is room for: none is claimed when it is not above 0.
        Applies the guards (agent gone or disabled, loop protection, one active run per agent and
        ticket, attempts): invocations that may not run end as failed here. Those of an agent with
        `max_concurrent` runs already stay pending. It is the caller who gives it a session, in the
        same transaction.
        """
        ...

    def begin_chat(self, tx: WriteTx, agent_id: str, session_id: str, **context: Any) -> int:
        """An invocation for a chat turn (or its continuation), set to `running`; its id.

        `context` may have project_id and ticket_id. One that runs in this session already is taken.
        A finished one of the session is continued by a copy of it.
        """
        ...

    def attach_session(
        self,
        tx: WriteTx,
        invocation_id: int,
        kombuse_session_id: str,
        session_id: str | None = None,
    ) -> None:
        """The session in which a claimed invocation runs; emits its `agent.started`.

        `session_id` is the row id of the session: whoever deletes that row clears the column
        `agent_invocations.session_id`.
        """
        ...

    def complete(self, tx: WriteTx, kombuse_session_id: str) -> None:
        """End the running invocations of a session well, with `agent.completed` on its ticket."""
        ...

    def fail(self, tx: WriteTx, kombuse_session_id: str, error: str, *, retry: bool) -> None:
        """End them as failed with `agent.failed`, or queue them again when a retry is due.

        With `retry` the agent's `retry_on_failure` counts: 5, 10, 20, ... seconds later, until its
        attempts are used up.
        """
        ...

    def abandon(self, tx: WriteTx, invocation_id: int, error: str, *, retry: bool) -> None:
        """`fail` for a claimed invocation that has no session (yet)."""
        ...

    def requeue(self, tx: WriteTx, kombuse_session_id: str) -> int:
        """Running invocations of a session that did nothing yet become pending, how many.

        As if they had never been claimed: the attempt does not count, the session stays named.
        """
        ...

    def newest_of_session(self, tx: ReadTx, kombuse_session_id: str) -> Invocation | None: ...

    def next_due(self, tx: ReadTx) -> str | None:
        """When the earliest pending invocation that is put off becomes due."""
        ...

    def is_tripped(self, tx: ReadTx, ticket_id: int) -> bool:
        """Whether agents reached the limit of runs on a ticket that they may cause in an hour.

        It ends by the mere passing of time.
        """
        ...


class Triggers(Protocol):
    def of_agent(self, tx: ReadTx, agent_id: str) -> list[dict[str, Any]]:
        """The triggers of an agent as the API answers them, the highest priority first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTriggers:
    """All triggers that a package has for an agent; `package_slug` is its slug in the package."""

    agent_id: str
    package_slug: str
    triggers: "Sequence[TriggerInFile]"


class PackagedTriggers(Protocol):
    def check(self, triggers: "Sequence[TriggerInFile]") -> None:
        """BadRequest when those of an agent file could not be made by the API either."""
        ...

    def install(
        self, tx: WriteTx, installation: Installation, agents: Sequence[AgentTriggers]
    ) -> None:
        """Give agents the triggers of their files, and take what the package no longer has.

        What a person made or changed stays. Records and warns.
        """
        ...

    def set_enabled(self, tx: WriteTx, plugin_id: str, is_enabled: bool) -> None:
        """Disable a package's triggers, or give each its state from before that back."""
        ...

    def release(self, tx: WriteTx, plugin_id: str) -> None:
        """Leave a package's triggers to the agents that have them."""
        ...

    def remove(self, tx: WriteTx, plugin_id: str, agent_ids: Sequence[str]) -> list[str]:
        """Delete what a package brought to these agents; the slugs."""
        ...

    def replace_label(self, tx: WriteTx, label_id: int, other_id: int) -> None:
        """Triggers on one label wait for another one of the same slug from now on."""
        ...

    def portable_of(
        self, tx: ReadTx, project_id: str, agent_ids: Sequence[str]
    ) -> dict[str, list[dict[str, Any]]]:
        """The triggers of agents as agent files have them: without ids of this project."""
        ...
