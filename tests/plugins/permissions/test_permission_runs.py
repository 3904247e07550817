"""Permission requests of live sessions: from the agent to the person and back."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin
from tests.plugins.permissions.asking import bash
from tests.plugins.sessions.fake_agents import Agents, FakeBackend, FakeRun, Heard, Wire

from kombuse_sdk import Service
from kombuse_sdk.agents import AgentEvent, Decision, TurnEnd
from kombuse_sdk.contracts import Live
from kombuse_sdk.types import Kernel


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"disabled_plugins": ["realtime", "backends", "codex", "claude_code"]}


@pytest.fixture
def heard() -> Any:
    return Heard()


@pytest.fixture
def decisions() -> list[Decision]:
    return []


@pytest.fixture
def asked_at() -> list[float]:
    return []


@pytest.fixture
def backend(decisions: list[Decision], asked_at: list[float]) -> FakeBackend:
    async def asks(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        for command in message.split("\n"):
            asked_at.append(time.monotonic())
            request = bash(command, f"call-{len(asked_at)}")
            decisions.append(await run.options.ask(request))
        yield TurnEnd(success=True)

    return FakeBackend(script=asks)


@pytest.fixture
def plugins_under_test(backend: FakeBackend, heard: Heard) -> list[object]:
    return [
        fake_plugin("fake-backend", agent_backends=lambda kernel: [backend]),
        fake_plugin("fake-live", services=lambda kernel: [Service(Live, heard)]),
    ]


@pytest.fixture
def chat(kernel: Kernel, client: TestClient, project: Any) -> Any:
    """`chat(message)` lets an agent ask for the commands of its lines; the session's id."""
    agent = Agents(client).make(type="kombuse")

    def say(message: str, **fields: Any) -> None:
        Wire(kernel).send(
            "agent.invoke",
            message=message,
            agentId=agent["id"],
            projectId=project["id"],
            **fields,
        )

    return say


def answer(client: TestClient, asked: dict[str, Any], **body: Any) -> Any:
    return client.post(f"/api/permissions/{asked['sessionId']}/{asked['requestId']}", json=body)


def types_of(client: TestClient, session_id: str) -> list[str]:
    events = client.get(f"/api/sessions/{session_id}/events").json()["events"]
    return [event["event_type"] for event in events if event["event_type"].startswith("perm")]


def test_a_request_reaches_a_person_and_the_answer_the_agent(
    chat: Any,
    client: TestClient,
    heard: Heard,
    decisions: list[Decision],
    asked_at: list[float],
) -> None:
    chat("git status\nrm x")
    asked = heard.wait("agent.permission_pending")
    late = time.monotonic() - asked_at[-1]
    assert client.get("/api/sync/state").json()["pendingPermissions"] == [
        {key: value for key, value in asked.items() if key != "type"}
    ]

    assert answer(client, asked, behavior="deny", message="no").status_code == 200

    complete = heard.wait("agent.complete")
    assert complete["status"] == "completed"
    assert decisions == [Decision(behavior="allow"), Decision(behavior="deny", message="no")]
    assert client.get("/api/sync/state").json()["pendingPermissions"] == []
    assert types_of(client, asked["sessionId"]) == [
        "permission_request",
        "permission_request",
        "permission_response",
    ]
    assert late < 1.0


def test_what_was_denied_may_be_asked_again_in_the_next_turn(
    chat: Any, client: TestClient, heard: Heard, decisions: list[Decision]
) -> None:
    chat("rm x\nrm x")
    asked = heard.wait("agent.permission_pending")
    answer(client, asked, behavior="deny")
    heard.wait("agent.complete")
    assert [decision.behavior for decision in decisions] == ["deny", "deny"]

    chat("rm x", kombuseSessionId=asked["sessionId"])
    again = heard.wait("agent.permission_pending", 2)
    answer(client, again, behavior="allow")

    heard.wait("agent.complete", 2)
    assert decisions[-1].behavior == "allow"


def test_a_session_that_is_stopped_withdraws_what_it_asked(
    chat: Any, kernel: Kernel, client: TestClient, heard: Heard
) -> None:
    chat("rm x")
    asked = heard.wait("agent.permission_pending")

    Wire(kernel).send("agent.stop", kombuseSessionId=asked["sessionId"])

    heard.wait("agent.permission_resolved", requestId=asked["requestId"])
    heard.wait("agent.complete", status="aborted")
    assert client.get("/api/permissions/pending").json() == []
    assert answer(client, asked, behavior="allow").status_code == 409
