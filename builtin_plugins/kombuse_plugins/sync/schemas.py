"""Wire shapes of the sync state; as in the messages at /ws, what is not known is absent."""

from typing import Any, Literal

from pydantic import Field

from kombuse_sdk.schemas import Output, Query

__all__ = ["ActiveSession", "PendingPermission", "SyncQuery", "SyncState", "TicketAgentStatus"]


class SyncQuery(Query):
    project_id: str | None = Field(None, description="Id or slug; all projects when absent")


class PendingPermission(Output):
    """A tool use that waits for a person's answer."""

    permissionKey: str = Field(description="`<sessionId>:<requestId>`")  # noqa: N815
    sessionId: str  # noqa: N815
    requestId: str  # noqa: N815
    toolName: str  # noqa: N815
    input: dict[str, Any]
    description: str
    ticketNumber: int | None = None  # noqa: N815
    projectId: str | None = None  # noqa: N815


class TicketAgentStatus(Output):
    """What agents do with a ticket."""

    ticketNumber: int  # noqa: N815
    projectId: str  # noqa: N815
    status: Literal["idle", "running", "pending", "error"]
    sessionCount: int  # noqa: N815


class ActiveSession(Output):
    """A session in a turn."""

    kombuseSessionId: str  # noqa: N815
    agentName: str  # noqa: N815
    ticketNumber: int | None = None  # noqa: N815
    projectId: str | None = None  # noqa: N815
    ticketTitle: str | None = None  # noqa: N815
    effectiveBackend: str | None = None  # noqa: N815
    appliedModel: str | None = None  # noqa: N815
    startedAt: str  # noqa: N815


class SyncState(Output):
    pendingPermissions: list[PendingPermission]  # noqa: N815
    ticketAgentStatuses: list[TicketAgentStatus]  # noqa: N815
    activeSessions: list[ActiveSession]  # noqa: N815
