"""Permission requests of a live session: asked of the plugin that answers them, or refused."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from kombuse_sdk.agents import Decision, PermissionRequest
from kombuse_sdk.contracts import Permissions
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.types import Kernel

__all__ = ["Asking"]

log = logging.getLogger("kombuse.sessions")
_NO_PERMISSIONS = (
    "Tool use needs an approval, and the plugin that asks for one (permissions) is not active"
)


class Asking:
    """The requests that wait; `record` writes an event of the session."""

    def __init__(self, kernel: Kernel, record: Callable[[str, Any], Awaitable[None]]) -> None:
        self._kernel = kernel
        self._record = record
        self._tasks: set[asyncio.Task[Decision]] = set()

    @property
    def is_open(self) -> bool:
        return bool(self._tasks)

    async def ask(self, session: SessionRef, request: PermissionRequest) -> Decision:
        """A refusal when the turn ends before there is an answer."""
        permissions = self._kernel.services.find(Permissions)
        if permissions is None:
            await self._refuse(request)
            return Decision(behavior="deny", message=_NO_PERMISSIONS)
        asking = asyncio.ensure_future(permissions.ask(session, request))
        self._tasks.add(asking)
        try:
            await asyncio.wait((asking,))
            if asking.cancelled():
                return Decision(behavior="deny", message="The session has ended")
            return asking.result()
        except asyncio.CancelledError:
            asking.cancel()
            raise
        except Exception as error:
            log.exception("a permission request of %s failed", session.id)
            return Decision(behavior="deny", message=f"The request failed: {error}")
        finally:
            self._tasks.discard(asking)

    def withdraw(self) -> None:
        for asking in self._tasks:
            asking.cancel()

    def end_turn(self, session_id: str) -> None:
        permissions = self._kernel.services.find(Permissions)
        if permissions is not None:
            permissions.end_turn(session_id)

    async def _refuse(self, request: PermissionRequest) -> None:
        asked = {
            "requestId": request.request_id,
            "toolName": request.tool_name,
            "toolUseId": request.tool_use_id,
            "input": request.input,
        }
        answer = {
            "requestId": request.request_id,
            "behavior": "deny",
            "message": _NO_PERMISSIONS,
        }
        await self._record("permission_request", asked)
        await self._record("permission_response", answer)
