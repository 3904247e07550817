"""Wire shapes of triggers and invocations."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from kombuse_sdk.agent_schemas import AllowedInvoker
from kombuse_sdk.schemas import (
    ABSENT,
    Body,
    JsonObject,
    Limit,
    LooseInt,
    NonEmpty,
    Offset,
    Output,
    Query,
    QueryInt,
    Slug,
)

__all__ = [
    "AgentInvocation",
    "AgentTrigger",
    "InvocationFilter",
    "ProcessEvent",
    "Processed",
    "SmartLabels",
    "TriggerCreate",
    "TriggerUpdate",
]


Status = Literal["pending", "running", "completed", "failed"]
Priority = Annotated[LooseInt, Field(ge=0)]


class AgentTrigger(Output):
    """When an agent starts."""

    id: int
    slug: str | None
    agent_id: str
    event_type: str
    project_id: str | None = Field(description="null: events of every project")
    conditions: dict[str, Any] | None
    is_enabled: bool
    priority: int
    plugin_id: str | None
    allowed_invokers: list[dict[str, Any]] | None = Field(description="null or empty: everybody")
    created_at: str
    updated_at: str


class TriggerCreate(Body):
    event_type: NonEmpty
    slug: Slug = ABSENT
    project_id: NonEmpty = ABSENT
    conditions: JsonObject = ABSENT
    is_enabled: StrictBool = True
    priority: Priority = 0
    allowed_invokers: list[AllowedInvoker] | None = None


class TriggerUpdate(Body):
    event_type: NonEmpty = ABSENT
    project_id: NonEmpty | None = None
    conditions: JsonObject | None = None
    is_enabled: StrictBool = ABSENT
    priority: Priority = ABSENT
    allowed_invokers: list[AllowedInvoker] | None = None


class SmartLabels(Output):
    label_ids: list[int]


class AgentInvocation(Output):
    """One run of an agent, waiting, at work or done."""

    id: int
    agent_id: str
    trigger_id: int | None
    event_id: int | None
    session_id: str | None
    project_id: str | None
    kombuse_session_id: str | None
    status: Status
    attempts: int
    max_attempts: int
    run_at: str = Field(description="Not before")
    context: dict[str, Any]
    result: dict[str, Any] | None
    error: str | None
    started_at: str | None
    completed_at: str | None
    created_at: str


class InvocationFilter(Query):
    agent_id: str | None = None
    trigger_id: Annotated[QueryInt, Field(gt=0)] | None = None
    status: Status | None = None
    session_id: str | None = Field(None, description="Either id of a session")
    kombuse_session_id: str | None = None
    project_id: str | None = Field(None, description="Id or slug")
    limit: Limit = 100
    offset: Offset = 0


class ProcessEvent(Body):
    event_id: Annotated[LooseInt, Field(gt=0)]


class Processed(Output):
    """The invocations that the triggers of an event have created, now or before."""

    event_id: int
    invocations_created: int
    invocations: list[AgentInvocation]
