"""Mock agents on a real server: conversations that go on, loops that end, crashes in between."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import StartServer
from tests.e2e.tracker import ON_OWN_TICKET, Tracker
from tests.sockets import open_socket

from kombuse_sdk.processes import ServerProcess
from kombuse_sdk.testing import ticket_path


@contextmanager
def tracking(server: ServerProcess) -> Iterator[Tracker]:
    with open_socket(server) as socket:
        yield Tracker(server, socket)
    assert "Traceback" not in server.output


@pytest.fixture
def tracker(start_server: StartServer) -> Iterator[Tracker]:
    with tracking(start_server()) as made:
        yield made


def mock(*steps: Any, **settings: Any) -> dict[str, Any]:
    return {"backend_type": "mock", "mock": {"steps": steps, **settings}}


def on_mention(tracker: Tracker, agent: Any) -> None:
    tracker.trigger(agent, "mention.created", conditions={"mentioned_profile_id": agent["id"]})


def test_mentions_go_on_with_the_session_of_the_agent_on_the_ticket(tracker: Tracker) -> None:
    agent = tracker.agent(config=mock({"message": "Heard."}, session_id="conversation-1"))
    on_mention(tracker, agent)
    project = tracker.make.project()
    ticket, other = tracker.make.ticket(project), tracker.make.ticket(project)

    for number in (1, 2):
        tracker.make.comment(ticket, body=f"@[you]({agent['id']}) question {number}")
        tracker.wait("agent.complete", number, status="completed")
    tracker.make.comment(other, body=f"@[you]({agent['id']}) something else")
    elsewhere = tracker.wait("agent.complete", 3, status="completed")

    first, second, third = tracker.invocations()
    assert first["kombuse_session_id"] == second["kombuse_session_id"]
    assert third["kombuse_session_id"] == elsewhere["kombuseSessionId"]
    assert third["kombuse_session_id"] != first["kombuse_session_id"]
    session = tracker.session(first["kombuse_session_id"])
    assert session.values["backend_session_id"] == "conversation-1"
    asked = [m["content"] for m in session.of("message") if m["role"] == "user"]
    assert ["question 1" in asked[0], "question 2" in asked[1]] == [True, True]
    answers = [c["body"] for c in tracker.comments(ticket) if c["author_id"] == agent["id"]]
    assert answers == ["Heard.", "Heard."]


def test_two_agents_that_mention_each_other_stop_at_the_limit(tracker: Tracker) -> None:
    tracker.set("agent.default_max_chain_depth", "5")
    agents = [tracker.agent(name, permissions=ON_OWN_TICKET) for name in ("Ping", "Pong")]
    project = tracker.make.project()
    ticket = tracker.make.ticket(project)
    for agent, other in (agents, agents[::-1]):
        turn = {
            "project_id": project["id"],
            "ticket_number": ticket["ticket_number"],
            "body": f"@[you]({other['id']}) your turn",
        }
        # The other one must be done with its own turn by then, for each has only one at a time.
        config = mock({"delay": 0.3}, {"mcp": "add_comment", "input": turn})
        path = f"/api/agents/{agent['id']}"
        assert tracker.server.http.patch(path, json={"config": config}).status_code == 200
        on_mention(tracker, agent)

    tracker.make.comment(ticket, body=f"@[go]({agents[0]['id']})")
    told = tracker.wait("event", event_type="agent.failed")
    tracker.wait("agent.complete", 5, status="completed")

    assert (
        "Chain depth limit reached (5 invocations on ticket #1" in told["event"]["payload"]["error"]
    )
    states = Counter(invocation["status"] for invocation in tracker.invocations())
    assert states == {"completed": 5, "failed": 1}
    notices = [c["body"] for c in tracker.comments(ticket) if "loop detected" in c["body"]]
    assert len(notices) == 1 and "Halting to prevent infinite loops" in notices[0]
    assert tracker.get(ticket_path(ticket))["loop_protection_tripped"] is True
    assert tracker.get("/api/sync/state")["activeSessions"] == []


def states(tracker: Tracker) -> Counter[str]:
    return Counter(invocation["status"] for invocation in tracker.invocations())


def test_kills_in_the_middle_of_runs_lose_none_and_double_none(
    start_server: StartServer, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with tracking(start_server(home)) as tracker:
        config = mock({"delay": 0.2}, {"message": "Done."}) | {"retry_on_failure": True}
        tracker.trigger(tracker.agent(config=config), "ticket.created")
        project = tracker.make.project()
        tickets = [tracker.make.ticket(project) for _ in range(40)]
        tracker.wait("agent.complete", 3)
        tracker.server.kill()
    with tracking(start_server(home)) as tracker:
        tracker.wait("agent.complete", 3)
        tracker.server.kill()

    with tracking(start_server(home)) as tracker:
        tracker.until(lambda: states(tracker) == {"completed": 40})

        events = Counter(invocation["event_id"] for invocation in tracker.invocations())
        assert set(events.values()) == {1} and len(events) == 40
        for ticket in tickets:
            assert tracker.timeline(ticket).count("agent.completed") == 1
            assert [comment["body"] for comment in tracker.comments(ticket)] == ["Done."]
