"""Sessions over REST: lists, single ones, events, diagnostics, deletion."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner
from tests.plugins.sessions.fake_agents import (
    Agents,
    FakeBackend,
    FakeRun,
    Heard,
    Record,
    Wire,
    said,
)

from kombuse_plugins.sessions import queries
from kombuse_plugins.sessions.schemas import SessionFilter
from kombuse_sdk.agents import AgentEvent, TurnEnd
from kombuse_sdk.contracts import Sessions
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


def create(client: TestClient, **body: Any) -> dict[str, Any]:
    answer = client.post("/api/sessions", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_new_session_is_pending_and_complete_in_its_fields(
    client: TestClient, agents: Agents, project: Any
) -> None:
    agent = agents.make()

    made = create(client, agent_id=agent["id"], project_id=project["slug"], model_preference=" m ")

    assert made["kombuse_session_id"].startswith("chat-")
    assert made["status"] == "pending"
    assert made["project_id"] == project["id"]
    assert (made["agent_name"], made["prompt_preview"], made["ticket_number"]) == (
        "Ada",
        None,
        None,
    )
    assert (made["backend_type"], made["effective_backend"]) == ("codex", "codex")
    assert (made["model_preference"], made["applied_model"]) == ("m", None)
    assert made["metadata"] == {
        "effective_backend": "codex",
        "model_preference": "m",
        "applied_model": None,
    }
    assert client.get(f"/api/sessions/{made['kombuse_session_id']}").json() == made


def test_a_session_needs_no_body(client: TestClient) -> None:
    answer = client.post("/api/sessions")

    assert answer.status_code == 201
    assert answer.json()["backend_type"] == "claude-code"


def test_the_default_backend_is_a_setting(client: TestClient) -> None:
    setting = {"profile_id": "user-1", "setting_key": "chat.default_backend_type"}
    client.put("/api/profile-settings", json=setting | {"setting_value": "mock"})

    assert create(client)["backend_type"] == "mock"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"agent_id": "nobody"}, 404, "Agent not found"),
        ({"project_id": "nowhere"}, 404, "Project not found"),
    ],
)
def test_unknown_references_are_not_found(
    client: TestClient, body: dict[str, Any], status: int, error: str
) -> None:
    answer = client.post("/api/sessions", json=body)

    assert (answer.status_code, answer.json()) == (status, {"error": error})


def test_disabled_agents_and_those_without_chats_are_refused_in_this_order(
    client: TestClient, agents: Agents
) -> None:
    agent = agents.make(enabled_for_chat=False)

    def refusal() -> Any:
        return client.post("/api/sessions", json={"agent_id": agent["id"]}).json()

    assert refusal() == {"error": "Agent is not enabled for chat"}
    client.patch(f"/api/agents/{agent['id']}", json={"is_enabled": False})
    assert refusal() == {"error": "Agent is disabled"}


def test_an_unknown_backend_is_an_issue(client: TestClient) -> None:
    answer = client.post("/api/sessions", json={"backend_type": "toaster"})

    assert answer.status_code == 400
    (issue,) = answer.json()["error"]
    assert (issue["code"], issue["path"]) == ("invalid_value", ["backend_type"])


def test_the_list_is_filtered_and_the_newest_comes_first(
    client: TestClient, agents: Agents, project: Any, record: Record
) -> None:
    agent = agents.make()
    first = create(client, agent_id=agent["id"], project_id=project["id"])
    second = create(client, project_id=project["id"])
    third = create(client)

    def ids(**query: Any) -> list[str]:
        return [item["kombuse_session_id"] for item in record.sessions(**query)]

    a, b, c = (item["kombuse_session_id"] for item in (first, second, third))
    assert ids() == ids(sort_by="created_at") == [c, b, a]
    assert ids(project_id=project["slug"]) == [b, a]
    assert ids(agent_id=agent["id"]) == [a]
    assert ids(status="pending", limit=1, offset=1) == [b]
    assert ids(status="running") == ids(project_id="nowhere") == ids(ticket_id=7) == []
    assert ids(has_backend_session_id="true") == []
    assert ids(has_backend_session_id="false", terminal_reason="") == [c, b, a]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=x",
        "status=odd",
        "sort_by=id",
        "ticket_id=0",
        "has_backend_session_id=maybe",
        "offset=-1",
    ],
)
def test_odd_filters_are_issues(client: TestClient, query: str) -> None:
    assert client.get(f"/api/sessions?{query}").status_code == 400


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"ticket_id": 1},
        {"agent_id": "a"},
        {"status": "failed"},
        {"terminal_reason": "x"},
        {"has_backend_session_id": True},
        {"status": "aborted", "agent_id": "a"},
    ],
)
@pytest.mark.parametrize("order", ["created_at", "updated_at"])
def test_every_list_is_served_by_an_index_in_its_order(
    kernel: Kernel, given: dict[str, Any], order: Any
) -> None:
    with kernel.db.read() as tx:
        planner = Planner(tx)
        queries.page(planner, SessionFilter.model_validate(given | {"sort_by": order}))

    assert any("USING INDEX sessions_" in step for step in planner.plan)
    assert not any("TEMP B-TREE" in step for step in planner.plan)


def test_unknown_sessions_are_not_found(client: TestClient) -> None:
    path = f"/api/sessions/chat-{uuid.uuid4()}"

    for answer in (
        client.get(path),
        client.get(f"{path}/events"),
        client.delete(path),
        client.post(f"{path}/stop"),
        client.post(f"{path}/messages", json={"message": "x"}),
    ):
        assert (answer.status_code, answer.json()) == (404, {"error": "Session not found"})


@pytest.fixture
def talked(client: TestClient, agents: Agents, heard: Heard, backend: FakeBackend) -> str:
    async def counts(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        for number in range(8):
            yield said(f"{number}")
        yield TurnEnd(success=True)

    backend.script = counts
    session_id: str = create(client, agent_id=agents.make()["id"])["kombuse_session_id"]
    answer = client.post(f"/api/sessions/{session_id}/messages", json={"message": "go"})
    assert answer.status_code == 202
    heard.wait("agent.complete")
    return session_id


def test_events_are_the_last_ones_or_the_first_after_a_number(
    client: TestClient, talked: str
) -> None:
    def page(**query: Any) -> tuple[list[int], int]:
        answer = client.get(f"/api/sessions/{talked}/events", params=query).json()
        assert answer["session_id"] == talked
        return [event["seq"] for event in answer["events"]], answer["total"]

    assert page() == (list(range(1, 11)), 10)
    assert page(limit=3) == ([8, 9, 10], 10)
    assert page(since_seq=0, limit=3) == ([1, 2, 3], 10)
    assert page(since_seq=7) == ([8, 9, 10], 3)
    assert page(event_type="raw") == ([2], 1)
    assert page(event_type="message", since_seq=5, limit=2) == ([6, 7], 5)
    assert page(since_seq=10) == ([], 0)
    for query in ("limit=1001", "limit=0", "since_seq=-1"):
        assert client.get(f"/api/sessions/{talked}/events?{query}").status_code == 400


def test_an_event_names_its_session_both_ways(record: Record, talked: str) -> None:
    event = record.events(talked)[0]

    assert event["kombuse_session_id"] == talked
    uuid.UUID(event["session_id"])
    assert event["payload"]["type"] == event["event_type"] == "message"
    assert isinstance(event["payload"]["timestamp"], int)


def test_deleting_a_session_takes_its_events_and_leaves_the_invocation(
    client: TestClient, kernel: Kernel, talked: str
) -> None:
    assert client.delete(f"/api/sessions/{talked}").status_code == 204

    assert client.get(f"/api/sessions/{talked}").status_code == 404
    with kernel.db.read() as tx:
        assert tx.value("SELECT count(*) FROM session_events") == 0
    (invocation,) = client.get("/api/invocations").json()
    assert invocation["session_id"] is None


def test_deleting_a_running_session_stops_it_first(
    client: TestClient, agents: Agents, heard: Heard, backend: FakeBackend
) -> None:
    async def hangs(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield said("working")
        await run.interrupted.wait()
        yield TurnEnd(success=False)

    backend.script = hangs
    session_id = create(client, agent_id=agents.make()["id"])["kombuse_session_id"]
    client.post(f"/api/sessions/{session_id}/messages", json={"message": "go"})
    heard.wait("agent.event", 3)

    assert client.delete(f"/api/sessions/{session_id}").status_code == 204

    assert heard.of("agent.complete")[0]["status"] == "aborted"
    assert backend.runs[0].closed
    (invocation,) = client.get("/api/invocations").json()
    assert (invocation["status"], invocation["error"]) == ("failed", "session_aborted")


def test_stop_says_whether_there_was_something_to_stop(
    client: TestClient, heard: Heard, talked: str
) -> None:
    assert client.post(f"/api/sessions/{talked}/stop").json() == {"stopped": True}
    heard.wait("agent.complete", status="stopped")
    assert client.post(f"/api/sessions/{talked}/stop").json() == {"stopped": False}


def test_diagnostics_count_states_and_reasons(client: TestClient, kernel: Kernel) -> None:
    aborted = [create(client)["kombuse_session_id"] for _ in range(3)]
    create(client)
    with kernel.db.write() as tx:
        for number, session_id in enumerate(aborted):
            tx.execute(
                "UPDATE sessions SET status = 'aborted', aborted_at = ?, metadata = ?"
                " WHERE kombuse_session_id = ?",
                (
                    f"2026-01-0{number + 1}" if number else None,
                    '{"terminal_reason":"user_stop"}' if number else "{}",
                    session_id,
                ),
            )

    found = client.get("/api/sessions/diagnostics", params={"recent_limit": 2}).json()

    assert found["counts_by_status"] == {"aborted": 3, "pending": 1}
    assert found["aborted_by_reason"] == [
        {"reason": "user_stop", "count": 2},
        {"reason": "unspecified", "count": 1},
    ]
    assert found["terminal_timestamp_gaps"]["aborted_missing_timestamp"] == 1
    assert len(found["recent_aborted_without_backend_session_id"]) == 2
    assert client.get("/api/sessions/diagnostics?recent_limit=201").status_code == 400


def test_the_contract_tells_what_is_active(
    client: TestClient,
    kernel: Kernel,
    agents: Agents,
    make: Factory,
    project: Any,
    heard: Heard,
    wire: Wire,
    backend: FakeBackend,
) -> None:
    async def hangs(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield said("working")
        await run.interrupted.wait()
        yield TurnEnd(success=False)

    backend.script = hangs
    agent, ticket = agents.make(), make.ticket(project, title="Slow")
    create(client)
    wire.send(
        "agent.invoke",
        message="go",
        agentId=agent["id"],
        projectId=project["id"],
        ticketNumber=ticket["ticket_number"],
    )
    session_id = heard.wait("agent.started")["kombuseSessionId"]
    sessions = kernel.services.get(Sessions)

    with kernel.db.read() as tx:
        (active,) = sessions.active(tx)
        assert sessions.active(tx, "other") == []
        (status,) = sessions.ticket_statuses(tx, project["id"])
        assert sessions.is_running(tx, session_id)
        ref = sessions.ref(tx, session_id)
    assert (active["kombuseSessionId"], active["ticketTitle"]) == (session_id, "Slow")
    assert status == {
        "ticketNumber": 1,
        "projectId": project["id"],
        "status": "running",
        "sessionCount": 1,
    }
    assert ref is not None
    assert (ref.agent_name, ref.ticket_number) == ("Ada", 1)
    heard.wait("agent.event", 3)
    assert sessions.stop_agent(agent["id"]) == 1
    heard.wait("agent.complete", status="aborted")
    assert sessions.stop_backend("codex") == 0


def test_other_plugins_append_to_the_record(
    kernel: Kernel, record: Record, heard: Heard, talked: str
) -> None:
    sessions = kernel.services.get(Sessions)

    sessions.record(talked, "permission_request", {"requestId": "r", "toolName": "Bash"})
    sessions.record(talked, "permission_response", {"requestId": "r", "behavior": "deny"})
    asyncio.run(_flushed(kernel))

    events = record.events(talked, since_seq=10)
    assert [(e["seq"], e["event_type"]) for e in events] == [
        (11, "permission_request"),
        (12, "permission_response"),
    ]
    assert heard.of("agent.event")[-1]["event"]["type"] == "permission_request"
    sessions.record("chat-gone", "raw", {"sourceType": "x"})


async def _flushed(kernel: Kernel) -> None:
    from kombuse_plugins.sessions.provider import live_sessions

    await live_sessions(kernel).runner.flushed()
