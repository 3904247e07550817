"""Domain events: the audit log, and what subscribers are told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["ActorType", "Event", "StoredEvent"]

ActorType = Literal["user", "agent", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, to be stored in the transaction that made it happen."""

    event_type: str
    actor_type: ActorType
    actor_id: str | None = None
    project_id: str | None = None
    ticket_id: int | None = None
    comment_id: int | None = None
    kombuse_session_id: str | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent(Event):
    """An event with its place in the log; ids rise in commit order and are never reused."""

    id: int
    created_at: str
