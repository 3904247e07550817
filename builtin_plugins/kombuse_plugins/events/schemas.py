"""Wire shapes of events, subscriptions and the timeline."""

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from kombuse_sdk.contracts.comments import Comment
from kombuse_sdk.events import ActorType
from kombuse_sdk.schemas import (
    Body,
    IsoDateTime,
    Limit,
    LooseInt,
    NonEmpty,
    Offset,
    Output,
    Query,
    QueryInt,
    Text,
    issue_error,
)

__all__ = [
    "Acknowledge",
    "Acknowledged",
    "Event",
    "EventCreate",
    "EventFilter",
    "EventSubscription",
    "EventWithActor",
    "Pending",
    "PendingQuery",
    "SubscriptionCreate",
    "SubscriptionFilter",
    "Timeline",
]

# An offset that was not escaped arrives with a space, which is what `+` means in a query string.
Since = Annotated[IsoDateTime, BeforeValidator(lambda text: text.replace(" ", "+"))]


def _json_object(value: dict[str, Any]) -> dict[str, Any]:
    """Numbers that JSON can hold but no reader can (1e400) are refused."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise issue_error("custom", "Expected numbers within range") from None
    return value


class Event(Output):
    """Something that happened."""

    id: int
    event_type: str
    project_id: str | None
    ticket_id: int | None
    ticket_number: int | None = Field(description="Null once the ticket is gone")
    comment_id: int | None
    actor_id: str | None
    actor_type: ActorType
    kombuse_session_id: str | None
    payload: str = Field(description="JSON text")
    created_at: str


class EventWithActor(Event):
    joined_kind: ClassVar[str] = "event"


class EventCreate(Body):
    event_type: NonEmpty
    actor_type: ActorType
    payload: Annotated[dict[str, Any], AfterValidator(_json_object)]
    project_id: Text = ""
    ticket_id: Annotated[LooseInt, Field(gt=0)] = 0
    comment_id: Annotated[LooseInt, Field(gt=0)] = 0
    actor_id: Text = ""


class EventFilter(Query):
    joined_kind: ClassVar[str] = "event"

    event_type: str | None = None
    project_id: str | None = Field(None, description="Id or slug")
    ticket_id: Annotated[QueryInt, Field(gt=0)] | None = None
    actor_id: str | None = None
    actor_type: ActorType | None = None
    since: Since | None = Field(None, description="ISO 8601 with Z or an offset; later events only")
    limit: Limit = 50
    offset: Offset = 0


class CommentItem(Output):
    type: Literal["comment"]
    timestamp: str
    data: Comment


class EventItem(Output):
    type: Literal["event"]
    timestamp: str
    data: EventWithActor


class Timeline(Output):
    """All comments and events of a ticket, oldest first."""

    items: list[Annotated[CommentItem | EventItem, Field(discriminator="type")]]
    total: int


class EventSubscription(Output):
    """How far a subscriber has come with the events of one type."""

    id: int
    subscriber_id: str
    event_type: str
    project_id: str | None
    last_processed_event_id: int | None
    created_at: str


class SubscriptionCreate(Body):
    subscriber_id: NonEmpty
    event_type: NonEmpty
    project_id: Text = ""


class SubscriptionFilter(Query):
    subscriber_id: str | None = Field(None, description="Required")


class PendingQuery(Query):
    limit: Annotated[QueryInt, Field(gt=0)] | None = Field(None, description="All when absent")


class Pending(Output):
    """What a subscription has not acknowledged, in the order of the log."""

    subscription: EventSubscription
    events: list[Event]


class Acknowledge(Body):
    last_event_id: Annotated[LooseInt, Field(gt=0)]


class Acknowledged(Output):
    success: Literal[True]
