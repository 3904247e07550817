"""Agents, their triggers and runs, for tests of what does not need a real runner of sessions."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_sdk import Service
from kombuse_sdk.contracts import Invocations, Sessions
from kombuse_sdk.contracts.invocations import Invocation
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.storage import ReadTx, WriteTx
from kombuse_sdk.types import Kernel

__all__ = [
    "WITHOUT_SESSIONS",
    "FakeSessions",
    "Runs",
    "kombuse_config",
    "make_agent",
    "make_trigger",
    "new_session",
    "plugins_under_test",
    "runs",
    "sessions",
]

_ENOUGH = 100
# Without the plugin of real sessions, so that the fake provides the contract.
WITHOUT_SESSIONS = {"disabled_plugins": ["sessions"]}


@dataclass
class FakeSessions:
    """Sessions that a test starts and ends by hand."""

    running: set[str] = field(default_factory=set)
    wakes: int = 0
    stopped_agents: list[str] = field(default_factory=list)

    def plugin(self) -> ModuleType:
        provider: Any = self
        services = [Service(Sessions, provider)]
        return fake_plugin("fake_sessions", services=lambda: services)

    def ref(self, tx: ReadTx, session_id: str) -> SessionRef | None:
        return SessionRef(id=session_id) if session_id in self.running else None

    def is_running(self, tx: ReadTx, session_id: str) -> bool:
        return session_id in self.running

    def record(self, session_id: str, event_type: str, payload: Mapping[str, Any]) -> None: ...

    def wake(self) -> None:
        self.wakes += 1

    def stop_agent(self, agent_id: str) -> int:
        self.stopped_agents.append(agent_id)
        return 1


def new_session() -> str:
    return f"trigger-{uuid.uuid4()}"


def make_agent(client: TestClient, name: str = "Helper", **values: Any) -> Any:
    body = {"name": name, "description": f"about {name}", "system_prompt": "Help."} | values
    answer = client.post("/api/agents", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


def make_trigger(client: TestClient, agent: Any, event_type: str, **values: Any) -> Any:
    body = {"event_type": event_type} | values
    answer = client.post(f"/api/agents/{agent['id']}/triggers", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


@dataclass
class Runs:
    """What the runner of sessions does to invocations, step by step."""

    kernel: Kernel
    client: TestClient

    def dispatch(self) -> None:
        """Wait until all that happened was seen by the dispatcher."""
        self.kernel.dispatcher.drain()  # type: ignore[attr-defined]

    def claim(self, capacity: int = 100) -> Invocation | None:
        with self.kernel.db.write() as tx:
            return tx.services.get(Invocations).claim_next(tx, capacity)

    def start(self) -> tuple[Invocation, str]:
        """Claim the next one and give it a session."""
        session_id = new_session()
        with self.kernel.db.write() as tx:
            invocations = tx.services.get(Invocations)
            invocation = invocations.claim_next(tx, 1)
            assert invocation is not None
            invocations.attach_session(tx, invocation.id, session_id)
        return invocation, session_id

    def complete(self, session_id: str) -> None:
        with self.kernel.db.write() as tx:
            tx.services.get(Invocations).complete(tx, session_id)

    def fail(self, session_id: str, error: str = "broken", *, retry: bool = False) -> None:
        with self.kernel.db.write() as tx:
            tx.services.get(Invocations).fail(tx, session_id, error, retry=retry)

    def run_all(self, act: Callable[[WriteTx, Invocation, str], None] | None = None) -> int:
        """Run one after the other until nothing waits; how many ran.

        A run ends well, after the `act` of its agent.
        """
        for count in range(_ENOUGH):
            self.dispatch()
            if not self._run_next(act):
                return count
        raise AssertionError("the runs do not end")

    def _run_next(self, act: Callable[[WriteTx, Invocation, str], None] | None) -> bool:
        session_id = new_session()
        with self.kernel.db.write() as tx:
            invocations = tx.services.get(Invocations)
            claimed = invocations.claim_next(tx, 1)
            if claimed is None:
                return False
            invocations.attach_session(tx, claimed.id, session_id)
            if act is not None:
                act(tx, claimed, session_id)
            invocations.complete(tx, session_id)
        return True

    def all(self, **query: Any) -> list[Any]:
        """The invocations as the API lists them, the oldest first."""
        answer = self.client.get("/api/invocations", params=query)
        assert answer.status_code == 200, answer.text
        return list(reversed(answer.json()))

    def events(self, event_type: str) -> list[Any]:
        found = self.client.get("/api/events", params={"event_type": event_type}).json()
        return list(reversed(found))


@pytest.fixture
def sessions() -> FakeSessions:
    return FakeSessions()


@pytest.fixture
def plugins_under_test(sessions: FakeSessions) -> list[object]:
    return [sessions.plugin()]


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return dict(WITHOUT_SESSIONS)


@pytest.fixture
def runs(kernel: Kernel, client: TestClient) -> Runs:
    return Runs(kernel, client)
