"""Driving one agent of a backend: what it tells, what it asks, how its turn ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kombuse_sdk.agents import (
    AgentBackend,
    AgentEvent,
    AgentRun,
    Decision,
    Image,
    PermissionRequest,
    RunOptions,
    TurnEnd,
)

__all__ = ["Turn", "allow", "deny", "is_alive", "opened", "take_turn", "when"]

Answer = Callable[[PermissionRequest], Decision]


@dataclass
class Turn:
    events: list[AgentEvent] = field(default_factory=list)
    end: TurnEnd | None = None

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        return [event.payload for event in self.events if event.type == kind]

    @property
    def said(self) -> str:
        return "\n".join(str(payload["content"]) for payload in self.of("message"))


def allow(request: PermissionRequest) -> Decision:
    return Decision(behavior="allow")


def deny(request: PermissionRequest) -> Decision:
    return Decision(behavior="deny", message="not on my machine")


@asynccontextmanager
async def opened(
    backend: AgentBackend, cwd: Path, answer: Answer = allow, **options: Any
) -> AsyncIterator[tuple[AgentRun, list[PermissionRequest]]]:
    """A live agent and the list of what it asks; ended at the end of the block."""
    asked: list[PermissionRequest] = []

    async def ask(request: PermissionRequest) -> Decision:
        asked.append(request)
        return answer(request)

    run = await backend.open(RunOptions(session_id="chat-1", cwd=cwd, ask=ask, **options))
    try:
        yield run, asked
    finally:
        await run.close()


async def take_turn(
    run: AgentRun,
    message: str,
    *images: Image,
    on_event: Callable[[AgentEvent], Any] | None = None,
) -> Turn:
    turn = Turn()
    async with asyncio.timeout(60):
        async for item in run.turn(message, images):
            if isinstance(item, TurnEnd):
                assert turn.end is None
                turn.end = item
            else:
                turn.events.append(item)
                if on_event is not None:
                    on_event(item)
    assert turn.end is not None
    return turn


async def when(condition: Callable[[], bool]) -> None:
    """Wait until something becomes true that nothing tells of."""
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1][1] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
