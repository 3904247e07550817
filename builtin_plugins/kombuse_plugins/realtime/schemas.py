"""Wire shapes of the messages that this plugin serves, and of events."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from kombuse_sdk.events import ActorType
from kombuse_sdk.schemas import Body, Output

__all__ = ["Empty", "LiveEvent", "Topics"]

Topic = Annotated[str, Field(strict=True, max_length=256)]


class Empty(Body):
    """A message that says it all by its type."""


class Topics(Body):
    topics: list[Topic] = Field(max_length=1000)


class LiveEvent(Output):
    """An event as it is told; unlike in the REST lists its payload is an object."""

    joined_kind: ClassVar[str] = "event"

    id: int
    event_type: str
    project_id: str | None
    ticket_id: int | None
    ticket_number: int | None
    comment_id: int | None
    actor_id: str | None
    actor_type: ActorType
    kombuse_session_id: str | None
    payload: dict[str, Any]
    created_at: str
