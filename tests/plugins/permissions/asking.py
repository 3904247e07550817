"""Agents that ask, and what others are told of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kombuse_sdk.agents import Decision, PermissionRequest
from kombuse_sdk.contracts import Permissions
from kombuse_sdk.contracts.permissions import PermissionOutcome, PermissionReply
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.types import Kernel

__all__ = ["SESSION", "Asking", "FakeClient", "Heard", "Recorded", "allow", "bash", "deny"]

SESSION = "chat-00000000-0000-0000-0000-000000000001"


@dataclass
class Heard:
    """Messages to clients with their topics, in order."""

    messages: list[tuple[tuple[str, ...], dict[str, Any]]] = field(default_factory=list)

    def publish(
        self, topics: Sequence[str], message: Mapping[str, Any], *, sender: str | None = None
    ) -> None:
        self.messages.append((tuple(topics), dict(message)))

    def types(self) -> list[str]:
        return [message["type"] for _, message in self.messages]


@dataclass
class Recorded:
    """Events of sessions: (session, type, payload)."""

    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def record(self, session_id: str, event_type: str, payload: Mapping[str, Any]) -> None:
        self.events.append((session_id, event_type, dict(payload)))

    def ref(self, tx: ReadTx, session_id: str) -> SessionRef | None:
        return SessionRef(id=session_id)

    def is_running(self, tx: ReadTx, session_id: str) -> bool:
        return True

    def wake(self) -> None: ...

    def stop(self, session_id: str, reason: str = "user_stop") -> bool:
        return False

    def active(self, tx: ReadTx, project_id: str | None = None) -> list[dict[str, Any]]:
        return []

    def ticket_statuses(self, tx: ReadTx, project_id: str | None = None) -> list[dict[str, Any]]:
        return []

    def stop_backend(self, backend_type: str) -> int:
        return 0

    def stop_agent(self, agent_id: str) -> int:
        return 0


@dataclass
class FakeClient:
    id: str = "client-1"
    sent: list[dict[str, Any]] = field(default_factory=list)

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


def bash(command: str, request_id: str = "r1", **extra: Any) -> PermissionRequest:
    return PermissionRequest(
        request_id=request_id, tool_name="Bash", input={"command": command, **extra}
    )


def allow(**values: Any) -> PermissionReply:
    return PermissionReply(behavior="allow", **values)


def deny(message: str | None = None) -> PermissionReply:
    return PermissionReply(behavior="deny", message=message)


@dataclass
class Asking:
    """Runs a scenario on an event loop, as the runner of sessions does."""

    kernel: Kernel
    heard: Heard
    recorded: Recorded

    @property
    def permissions(self) -> Permissions:
        return self.kernel.services.get(Permissions)

    def run(self, scenario: Callable[[], Awaitable[Any]]) -> Any:
        async def limited() -> Any:
            return await asyncio.wait_for(scenario(), 20)

        return asyncio.run(limited())

    async def start(
        self, request: PermissionRequest, session: SessionRef | None = None, *, joins: bool = False
    ) -> "asyncio.Task[Decision]":
        """Ask, and return when the request waits (for the answer to another one) or is decided."""
        before, waiters = len(self.pending()), self._waiters()
        asking = asyncio.create_task(
            _decision(self.permissions.ask(session or SessionRef(id=SESSION), request))
        )
        while not asking.done():
            if self._waiters() > waiters if joins else len(self.pending()) > before:
                break
            await asyncio.sleep(0.001)
        return asking

    async def reply(
        self, reply: PermissionReply, request_id: str = "r1", session_id: str = SESSION
    ) -> PermissionOutcome:
        return await asyncio.to_thread(self.permissions.answer, session_id, request_id, reply)

    async def withdraw(self, asking: "asyncio.Task[Decision]") -> None:
        """Cancel a request that waits, and return when all have been told."""
        before = len(self.heard.messages)
        asking.cancel()
        await asyncio.wait((asking,))
        while len(self.heard.messages) == before:
            await asyncio.sleep(0.001)

    def once(
        self,
        request: PermissionRequest,
        reply: PermissionReply | None = None,
        session: SessionRef | None = None,
    ) -> Decision | None:
        """Ask and answer; without an answer None when it waits, which then is withdrawn."""

        async def scenario() -> Decision | None:
            asking = await self.start(request, session)
            if not asking.done() and reply is None:
                await self.withdraw(asking)
                return None
            if not asking.done() and reply is not None:
                session_id = session.id if session else SESSION
                await self.reply(reply, request.request_id, session_id)
            return await asking

        result: Decision | None = self.run(scenario)
        return result

    def pending(self, project_id: str | None = None) -> list[dict[str, Any]]:
        with self.kernel.db.read() as tx:
            return self.permissions.pending(tx, project_id)

    def rows(self) -> list[dict[str, Any]]:
        with self.kernel.db.read() as tx:
            return [dict(row) for row in tx.all("SELECT * FROM permission_requests ORDER BY id")]

    def _waiters(self) -> int:
        waiting = getattr(self.permissions, "_waiting", {})
        return sum(item.waiters for item in waiting.values())


async def _decision(awaitable: Awaitable[Decision]) -> Decision:
    return await awaitable
