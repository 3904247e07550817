"""What others are told of a request: the record of its session, and clients that are connected."""

from collections.abc import Mapping
from typing import Any, Literal

from kombuse_sdk.contracts import Live, Sessions
from kombuse_sdk.storage import Row
from kombuse_sdk.types import Kernel

__all__ = ["Announcements", "pending"]


class Announcements:
    """After the commit of what they tell; from any thread, and never blocking."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def asked(self, row: Row, arguments: Mapping[str, Any], tool_use_id: str | None) -> None:
        """A new request, for the record; `row` has its outcome if it was decided at once."""
        event = {
            "requestId": row["request_id"],
            "toolName": row["tool_name"],
            "toolUseId": tool_use_id,
            "input": arguments,
            "description": row["description"],
        }
        if row["status"] == "auto_approved":
            event["autoApproved"] = True
        self._record(row, "permission_request", event)

    def waits(self, row: Row, arguments: Mapping[str, Any], ticket_number: int | None) -> None:
        self._publish(row, "agent.permission_pending", pending(row, arguments, ticket_number))

    def answered(
        self,
        row: Row,
        behavior: Literal["allow", "deny"],
        message: str | None = None,
        remembered: str | None = None,
    ) -> None:
        """An answer, for the record."""
        event = {"requestId": row["request_id"], "behavior": behavior}
        optional = {"message": message, "alwaysAllowed": remembered}
        self._record(row, "permission_response", event | _given(optional))

    def resolved(self, row: Row, remembered: str | None = None) -> None:
        optional = {"alwaysAllowed": remembered}
        self._publish(row, "agent.permission_resolved", _names(row) | _given(optional))

    def _record(self, row: Row, event_type: str, event: Mapping[str, Any]) -> None:
        sessions = self._kernel.services.find(Sessions)
        if sessions is not None:
            sessions.record(row["kombuse_session_id"], event_type, event)

    def _publish(self, row: Row, kind: str, message: Mapping[str, Any]) -> None:
        live = self._kernel.services.find(Live)
        if live is not None:
            topics = ("*", f"session:{row['kombuse_session_id']}")
            live.publish(topics, {"type": kind, **message})


def pending(row: Row, arguments: Mapping[str, Any], ticket_number: int | None) -> dict[str, Any]:
    """A request that waits, as the sync state shows it: what is not known is absent."""
    return {
        **_names(row),
        "toolName": row["tool_name"],
        "input": arguments,
        "description": row["description"],
        **_given({"ticketNumber": ticket_number, "projectId": row["project_id"]}),
    }


def _names(row: Row) -> dict[str, Any]:
    session_id, request_id = row["kombuse_session_id"], row["request_id"]
    return {
        "permissionKey": f"{session_id}:{request_id}",
        "sessionId": session_id,
        "requestId": request_id,
    }


def _given(optional: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in optional.items() if value is not None}
