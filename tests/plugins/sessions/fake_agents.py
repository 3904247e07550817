"""Agents that do what a test scripts, and what clients were told about them."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.testclient import TestClient

from kombuse_sdk.agents import (
    AgentEvent,
    BackendStatus,
    Image,
    ModelCatalogue,
    RunOptions,
    TurnEnd,
    Usage,
)
from kombuse_sdk.types import Kernel

Script = Callable[["FakeRun", str], AsyncIterator[AgentEvent | TurnEnd]]
_PATIENCE = 20.0


def said(text: str, role: str = "assistant") -> AgentEvent:
    return AgentEvent(type="message", payload={"role": role, "content": text})


def used(name: str, call: str = "t1", **given: Any) -> AgentEvent:
    return AgentEvent(type="tool_use", payload={"id": call, "name": name, "input": given})


def result(content: Any, call: str = "t1", **more: Any) -> AgentEvent:
    return AgentEvent(type="tool_result", payload={"toolUseId": call, "content": content, **more})


async def echo(run: "FakeRun", message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
    yield said(f"echo: {message[:40]}")
    yield TurnEnd(success=True, usage=Usage(input_tokens=10, output_tokens=5, cost_usd=0.25))


class FakeRun:
    def __init__(self, backend: "FakeBackend", options: RunOptions) -> None:
        self.options = options
        self.pid = None
        self.backend_session_id: str | None = options.resume_id or backend.session_id
        self.closed = 0
        self.interrupted = asyncio.Event()
        self.images: list[Image] = []
        self._backend = backend

    async def turn(
        self, message: str, images: Sequence[Image]
    ) -> AsyncIterator[AgentEvent | TurnEnd]:
        self._backend.messages.append(message)
        self.images += images
        async for item in self._backend.script(self, message):
            yield item

    async def interrupt(self) -> None:
        self.interrupted.set()

    async def close(self) -> None:
        self.closed += 1


@dataclass
class FakeBackend:
    """Does what its `script` says; `fails` is raised by the next `open`."""

    name: str = "codex"
    script: Script = echo
    session_id: str | None = "backend-1"
    version: str | None = "1.0.0"
    fails: list[Exception] = field(default_factory=list)
    runs: list[FakeRun] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    async def open(self, options: RunOptions) -> FakeRun:
        if self.fails:
            raise self.fails.pop(0)
        run = FakeRun(self, options)
        self.runs.append(run)
        return run

    async def status(self, project_id: str | None = None) -> BackendStatus:
        return BackendStatus(available=True, version=self.version)

    async def models(self) -> ModelCatalogue:
        return ModelCatalogue(supports_selection=False)


class Heard:
    """The provider of live messages in these tests: it keeps what was published."""

    def __init__(self) -> None:
        self.messages: list[tuple[tuple[str, ...], dict[str, Any], str | None]] = []
        self._news = threading.Condition()

    def publish(
        self, topics: Sequence[str], message: Mapping[str, Any], *, sender: str | None = None
    ) -> None:
        with self._news:
            self.messages.append((tuple(topics), dict(message), sender))
            self._news.notify_all()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [message for _, message, _ in list(self.messages) if message["type"] == kind]

    def wait(self, kind: str, count: int = 1, **expected: Any) -> dict[str, Any]:
        """The `count`th message of a type with these values, once it is there."""

        def found() -> list[dict[str, Any]]:
            return [m for m in self.of(kind) if expected.items() <= m.items()]

        with self._news:
            assert self._news.wait_for(lambda: len(found()) >= count, _PATIENCE), self.messages
        return found()[count - 1]


@dataclass
class FakeClient:
    id: str = "client-1"

    def send(self, message: dict[str, Any]) -> None:
        raise AssertionError(message)


class Wire:
    """Sends messages as a client at /ws does."""

    def __init__(self, kernel: Kernel) -> None:
        self._handlers = {
            message.name: message for _, message in kernel.offers("kombuse_socket_messages")
        }

    def send(self, name: str, client: str = "client-1", **fields: Any) -> None:
        """Raises what the client would be told as an error."""
        handler = self._handlers[name]
        given = handler.model.model_validate({"type": name, **fields})
        asyncio.run(handler.handle(FakeClient(client), given))


@dataclass
class Agents:
    """Makes agents and triggers over the API."""

    client: TestClient

    def make(self, prompt: str = "You help.", name: str = "Ada", **config: Any) -> dict[str, Any]:
        body = {
            "description": "An agent",
            "system_prompt": prompt,
            "config": {"backend_type": "codex", "enabled_for_chat": True} | config,
        }
        answer = self.client.post("/api/agents", json=body | {"name": name})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def trigger(self, agent: dict[str, Any], event_type: str, **values: Any) -> dict[str, Any]:
        body = {"event_type": event_type} | values
        answer = self.client.post(f"/api/agents/{agent['id']}/triggers", json=body)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made


@dataclass
class Record:
    """Reads sessions over the API."""

    client: TestClient

    def session(self, session_id: str) -> dict[str, Any]:
        answer = self.client.get(f"/api/sessions/{session_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def sessions(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.client.get("/api/sessions", params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    def events(self, session_id: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.client.get(
            f"/api/sessions/{session_id}/events", params={"limit": 1000} | query
        )
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["events"]
        return found


async def waits(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
    """Long enough for other messages to arrive in between."""
    yield said("one moment")
    await asyncio.sleep(0.03)
    yield TurnEnd(success=True)
