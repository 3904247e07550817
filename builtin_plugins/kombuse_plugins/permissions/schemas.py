"""Wire shapes of permission requests."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kombuse_sdk.schemas import (
    ABSENT,
    Body,
    JsonObject,
    Limit,
    NonEmpty,
    Offset,
    Output,
    Query,
    Text,
)

__all__ = [
    "Answered",
    "LogEntry",
    "LogFilter",
    "PendingFilter",
    "PendingPermission",
    "PermissionAnswer",
    "PermissionResponse",
]

Flag = Annotated[bool, Field(strict=True)]
Message = Annotated[Text, Field(max_length=10_000)]


class PendingPermission(Output):
    """A request that waits for a person, in the form of the sync state."""

    permissionKey: str = Field(description="<session id>:<request id>")  # noqa: N815
    sessionId: str  # noqa: N815
    requestId: str  # noqa: N815
    toolName: str  # noqa: N815
    input: dict[str, Any]
    description: str
    ticketNumber: int = ABSENT  # noqa: N815
    projectId: str = ABSENT  # noqa: N815


class PendingFilter(Query):
    project_id: str | None = Field(None, description="Id or slug")


class PermissionAnswer(Body):
    behavior: Literal["allow", "deny"]
    message: Message | None = Field(None, description="Why it is denied; the agent is told")
    updated_input: JsonObject | None = Field(
        None, description="What to run instead; absent or empty means the input as it is"
    )
    always_allow: Flag = False


class Answered(Output):
    """What became of a request: `remembered` is the rule that was saved, `note` why none was."""

    session_id: str
    request_id: str
    behavior: Literal["allow", "deny"]
    remembered: str | None
    note: str | None


class PermissionResponse(BaseModel):
    """The message `permission.response`."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["permission.response"] = "permission.response"
    session_id: NonEmpty = Field(alias="kombuseSessionId")
    request_id: NonEmpty = Field(alias="requestId")
    behavior: Literal["allow", "deny"]
    updated_input: JsonObject | None = Field(None, alias="updatedInput")
    message: Message | None = None
    always_allow: Flag = Field(False, alias="alwaysAllow")


class LogEntry(Output):
    """A decision of the log; `behavior` is null while it is open, or when it was withdrawn."""

    id: int
    session_id: str
    kombuse_session_id: str
    project_id: str
    ticket_number: int | None
    ticket_title: str | None
    requested_at: str
    request_id: str
    tool_name: str
    description: str
    input: dict[str, Any]
    auto_approved: bool
    behavior: Literal["allow", "deny"] | None
    deny_message: str | None
    resolved_at: str | None
    status: Literal["pending", "allowed", "denied", "auto_approved", "withdrawn"]
    always_allow: str | None = Field(description="The rule that was saved with the answer")


class LogFilter(Query):
    tool_name: str | None = None
    behavior: Literal["allow", "deny", "auto_approved"] | None = None
    limit: Limit = 50
    offset: Offset = 0
