"""Wire shapes of sessions."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from kombuse_sdk.schemas import (
    Body,
    Int,
    Limit,
    NonEmpty,
    Offset,
    Output,
    Query,
    QueryBool,
    QueryInt,
    Text,
    issue_error,
)

__all__ = [
    "SESSION_ID",
    "AgentInvoke",
    "AgentStop",
    "ChatMessage",
    "Diagnostics",
    "EventFilter",
    "EventPage",
    "ImageInput",
    "MessageCreate",
    "RecentFilter",
    "Session",
    "SessionCreate",
    "SessionFilter",
    "Status",
    "StopSession",
    "Stopped",
    "UsageFilter",
    "UsageRow",
]

SESSION_ID = re.compile(
    r"(?:chat|trigger)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)
MAX_IMAGES = 10
MAX_MESSAGE = 1_000_000

Status = Literal["pending", "running", "completed", "failed", "aborted", "stopped"]


def _bounded(low: int, high: int) -> Any:
    """Outside of these bounds is a mistake: the API states them for these endpoints."""
    return Annotated[QueryInt, Field(ge=low, le=high)]


def _session_id(value: str) -> str:
    if not SESSION_ID.fullmatch(value):
        raise issue_error("invalid_format", "Expected a session id: chat-<uuid> or trigger-<uuid>")
    return value.lower()


SessionId = Annotated[Text, AfterValidator(_session_id)]
Trimmed = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Stripped = Annotated[str, StringConstraints(strict=True, strip_whitespace=True)]


class Session(Output):
    """A conversation with an agent and what became of it."""

    kombuse_session_id: str
    backend_type: str | None
    backend_session_id: str | None
    ticket_id: int | None
    project_id: str | None
    agent_id: str | None
    status: Status
    metadata: dict[str, Any]
    started_at: str
    completed_at: str | None
    failed_at: str | None
    aborted_at: str | None
    last_event_seq: int
    created_at: str
    updated_at: str
    effective_backend: str
    model_preference: str | None
    applied_model: str | None
    agent_name: str | None
    prompt_preview: str | None = Field(description="The first 80 characters of the first message")
    ticket_number: int | None
    input_tokens: int
    output_tokens: int
    cost_usd: float


class SessionFilter(Query):
    ticket_id: Annotated[QueryInt, Field(gt=0)] | None = None
    project_id: str | None = Field(None, description="Id or slug")
    agent_id: str | None = None
    status: Status | None = None
    terminal_reason: Trimmed | None = None
    has_backend_session_id: QueryBool | None = None
    sort_by: Literal["created_at", "updated_at"] = "updated_at"
    limit: _bounded(1, 100) = 50  # type: ignore[valid-type]
    offset: Offset = 0


class SessionCreate(Body):
    backend_type: NonEmpty | None = None
    model_preference: Stripped | None = None
    agent_id: NonEmpty | None = None
    project_id: NonEmpty | None = None


class SessionEvent(Output):
    id: int
    session_id: str
    kombuse_session_id: str
    seq: int
    event_type: str
    payload: dict[str, Any]
    created_at: str


class EventPage(Output):
    session_id: str
    events: list[SessionEvent]
    total: int


class EventFilter(Query):
    since_seq: Offset | None = None
    event_type: str | None = None
    limit: _bounded(1, 1000) = 100  # type: ignore[valid-type]


class RecentFilter(Query):
    recent_limit: _bounded(1, 200) = 20  # type: ignore[valid-type]


class ReasonCount(Output):
    reason: str
    count: int


class TimestampGaps(Output):
    completed_missing_timestamp: int
    failed_missing_timestamp: int
    aborted_missing_timestamp: int


class AbortedSession(Output):
    id: str
    kombuse_session_id: str
    ticket_id: int | None
    backend_type: str | None
    backend_session_id: str | None
    status: Status
    updated_at: str
    completed_at: str | None
    failed_at: str | None
    aborted_at: str | None
    terminal_reason: str | None
    terminal_source: str | None


class Diagnostics(Output):
    generated_at: str
    counts_by_status: dict[str, int]
    aborted_by_reason: list[ReasonCount]
    terminal_timestamp_gaps: TimestampGaps
    recent_aborted_without_backend_session_id: list[AbortedSession]


class UsageFilter(Query):
    group_by: Literal["day", "agent", "ticket"] = "day"
    project_id: str | None = Field(None, description="Id or slug")
    agent_id: str | None = None
    ticket_id: Annotated[QueryInt, Field(gt=0)] | None = None
    limit: Limit = 50
    offset: Offset = 0


class UsageRow(Output):
    """What the turns of a day, an agent or a ticket cost; the other two of these are null."""

    day: str | None
    agent_id: str | None
    ticket_id: int | None
    sessions: int
    turns: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float


class ImageInput(Body):
    data: NonEmpty
    mediaType: Annotated[Text, Field(pattern=r"^image/[a-z0-9.+-]{1,50}$")]  # noqa: N815


class MessageCreate(Body):
    message: Annotated[Text, Field(min_length=1, max_length=MAX_MESSAGE)]


class Stopped(Output):
    stopped: bool


class AgentInvoke(Body):
    """`agent.invoke`: a turn of a chat."""

    type: Literal["agent.invoke"]
    message: Annotated[Text, Field(max_length=MAX_MESSAGE)]
    agentId: NonEmpty | None = None  # noqa: N815
    kombuseSessionId: SessionId | None = None  # noqa: N815
    projectId: NonEmpty | None = None  # noqa: N815
    ticketNumber: Annotated[Int, Field(gt=0)] | None = None  # noqa: N815
    backendType: NonEmpty | None = None  # noqa: N815
    modelPreference: Stripped | None = None  # noqa: N815
    userEventId: Annotated[Text, Field(max_length=100)] | None = None  # noqa: N815
    images: Annotated[list[ImageInput], Field(max_length=MAX_IMAGES)] | None = None


class AgentStop(Body):
    type: Literal["agent.stop"]
    kombuseSessionId: NonEmpty  # noqa: N815


class ChatMessage(Body):
    type: Literal["chat"]
    session_id: NonEmpty
    message: Annotated[Text, Field(max_length=MAX_MESSAGE)]


class StopSession(Body):
    type: Literal["stop_session"]
    session_id: NonEmpty
