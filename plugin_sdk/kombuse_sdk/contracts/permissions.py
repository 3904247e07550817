"""Permission requests of live agents."""

from typing import Protocol

from kombuse_sdk.agents import Decision, PermissionRequest
from kombuse_sdk.contracts.sessions import SessionRef

__all__ = ["Permissions"]


class Permissions(Protocol):
    async def ask(self, session: SessionRef, request: PermissionRequest) -> Decision:
        """Approve by rule, or wait until a person has answered.

        Cancelling the task that waits withdraws the request.
        """
        ...
