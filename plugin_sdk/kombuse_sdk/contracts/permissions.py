"""Permission requests of live agents."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from kombuse_sdk.agents import Decision, PermissionRequest
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.storage import ReadTx

__all__ = ["PermissionOutcome", "PermissionReply", "Permissions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionReply:
    """What a person answers; `updated_input` None or empty means the input as requested."""

    behavior: Literal["allow", "deny"]
    message: str | None = None
    updated_input: Mapping[str, Any] | None = None
    always_allow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionOutcome:
    """`remembered` is the rule that `always_allow` saved, `note` says why none or only in part."""

    behavior: Literal["allow", "deny"]
    remembered: str | None = None
    note: str | None = None


class Permissions(Protocol):
    async def ask(self, session: SessionRef, request: PermissionRequest) -> Decision:
        """Approve by rule, or wait until a person has answered.

        It records and streams what happens (`permission_request`, `permission_response`).
        Cancelling the task that waits withdraws the request.
        """
        ...

    def end_turn(self, session_id: str) -> None:
        """The turn of a session is over: what was denied in it may be asked again.

        From any thread; never blocks.
        """
        ...

    def answer(self, session_id: str, request_id: str, reply: PermissionReply) -> PermissionOutcome:
        """Give the answer of a person; the first one counts. Blocks: call it in a worker thread.

        Raises NotFound for a request that there never was, Conflict for one that is answered or
        withdrawn.
        """
        ...

    def pending(self, tx: ReadTx, project_id: str | None = None) -> list[dict[str, Any]]:
        """`pendingPermissions` of the sync state, in the order in which they were asked.

        {permissionKey, sessionId, requestId, toolName, input, description, ticketNumber?,
        projectId?}
        """
        ...
