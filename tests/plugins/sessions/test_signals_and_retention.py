"""Lists that need no polling, records that do not grow for ever, and texts that hide nothing."""

import json
import uuid
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner
from tests.plugins.sessions.fake_agents import Agents, FakeBackend, Heard, Wire

from kombuse_plugins.sessions import payloads, queries, recorder
from kombuse_plugins.sessions.claims import new_session
from kombuse_plugins.sessions.provider import live_sessions
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

LONG_AGO = "2020-01-01T00:00:00.000Z"
ENDED = ("completed", "failed", "aborted", "stopped")


@pytest.fixture
def kombuse_config(kombuse_config: dict[str, Any]) -> dict[str, Any]:
    return kombuse_config | {"retention": {"sessions_days": 30}}


def test_every_change_of_a_session_is_signalled_once(
    client: TestClient, wire: Wire, agents: Agents, heard: Heard, project: Any
) -> None:
    agent = agents.make()
    body = {"agent_id": agent["id"], "project_id": project["id"]}
    session_id = client.post("/api/sessions", json=body).json()["kombuse_session_id"]
    wire.send("chat", session_id=session_id, message="Hello")
    heard.wait("agent.complete", status="completed")
    client.delete(f"/api/sessions/{session_id}")
    heard.wait("session.updated", status="deleted")

    signals = [item for item in heard.messages if item[1]["type"] == "session.updated"]
    statuses = [message["status"] for _, message, _ in signals]
    assert statuses[:3] == ["pending", "running", "completed"]
    assert statuses[-1] == "deleted"
    assert set(statuses[3:-1]) <= {"stopped"}
    for topics, message, _ in signals:
        assert topics == (f"session:{session_id}", f"project:{project['id']}", "*")
        assert message == {
            "type": "session.updated",
            "kombuseSessionId": session_id,
            "status": message["status"],
            "projectId": project["id"],
            "agentId": agent["id"],
        }


def test_every_change_of_an_agent_is_signalled(
    client: TestClient, agents: Agents, heard: Heard
) -> None:
    agent_id = agents.make()["id"]
    path = f"/api/agents/{agent_id}"

    client.patch(path, json={"system_prompt": "Other."})
    client.patch(path, json={"system_prompt": "Other."})
    client.patch(path, json={"config": {"backend_type": "nobody's"}})
    client.delete(path)

    signals = [item[:2] for item in heard.messages if item[1]["type"] == "agent.updated"]
    told = {"type": "agent.updated", "agentId": agent_id}
    changes = ("created", "updated", "deleted")
    assert signals == [(("*",), told | {"change": change}) for change in changes]


def store(kernel: Kernel, status: str, updated_at: str | None = None) -> str:
    """A session with one event."""
    session_id = f"chat-{uuid.uuid4()}"
    with kernel.db.write() as tx:
        row_id = new_session(tx, session_id, status=status)
        entry = payloads.entry("message", {"role": "user", "content": "x"}, backend=None)
        assert entry is not None
        recorder.append(tx, session_id, [entry])
        if updated_at is not None:
            tx.execute("UPDATE sessions SET updated_at = ? WHERE id = ?", (updated_at, row_id))
    return session_id


def stored(kernel: Kernel) -> set[str]:
    with kernel.db.read() as tx:
        events = tx.values("SELECT DISTINCT kombuse_session_id FROM session_events")
        sessions = tx.values("SELECT kombuse_session_id FROM sessions")
    assert set(events) == set(sessions)
    return set(sessions)


def test_sessions_that_ended_go_after_the_days_that_the_configuration_names(
    kernel: Kernel, heard: Heard
) -> None:
    old = [store(kernel, status, LONG_AGO) for status in ENDED for _ in range(15)]
    kept = [store(kernel, status, LONG_AGO) for status in ("pending", "running")]
    kept += [store(kernel, status) for status in ENDED]

    live_sessions(kernel).expire()

    assert stored(kernel) == set(kept)
    deleted = [m for m in heard.of("session.updated") if m["status"] == "deleted"]
    assert {message["kombuseSessionId"] for message in deleted} == set(old)


@pytest.mark.parametrize("days", [None, 0, -1, True, "30", 1.5, 10**9])
def test_without_a_whole_number_of_days_sessions_stay(kernel: Kernel, days: Any) -> None:
    kernel.config.values["retention"] = {"sessions_days": days}
    old = store(kernel, "completed", LONG_AGO)

    live_sessions(kernel).expire()

    assert stored(kernel) == {old}


def test_old_sessions_are_found_by_an_index(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        planner: Any = Planner(tx)
        queries.finished_before(planner, LONG_AGO, 10)

    assert any("sessions_status_updated_at" in line for line in planner.plan)
    assert not any(line.startswith("SCAN") for line in planner.plan)


HIDING = "fine\u202e\U000e0041"
SHOWN = r"fine\u{202E}\u{E0041}"


def test_what_a_text_hides_is_shown_in_the_prompt_of_an_agent(
    client: TestClient, make: Factory, agents: Agents, backend: FakeBackend, heard: Heard
) -> None:
    template = "{{ ticket.title }}|{{ comment.body }}|{{ actor.name }}|{{ payload.note }}"
    agents.trigger(agents.make(template), "note.made")
    person = make.profile(name=HIDING)
    ticket = make.ticket(make.project(), title=HIDING)
    comment = make.comment(ticket, body=HIDING)
    event = {
        "event_type": "note.made",
        "actor_type": "user",
        "actor_id": person["id"],
        "project_id": ticket["project_id"],
        "ticket_id": ticket["id"],
        "comment_id": comment["id"],
        "payload": {"note": HIDING},
    }

    assert client.post("/api/events", json=event).status_code == 201
    heard.wait("agent.complete", status="completed")

    prompt = backend.runs[0].options.system_prompt
    assert prompt is not None and prompt.startswith("|".join([SHOWN] * 4))
    (message,) = backend.messages
    assert json.loads(message.partition("Payload:")[2]) == {"note": SHOWN}
