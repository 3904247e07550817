"""Triggered runs: an event becomes a turn of a session, once, and ends where it belongs."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.sessions.fake_agents import (
    Agents,
    FakeBackend,
    FakeRun,
    Heard,
    Record,
    result,
    said,
    used,
    waits,
)

from kombuse_sdk.agents import AgentEvent, BackendFailed, TurnEnd, Usage
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


def comments(client: TestClient, ticket: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{ticket_path(ticket)}/comments").json()
    return found


def invocations(client: TestClient, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/invocations", params=query).json()
    return found


def test_an_event_runs_the_agent_and_its_last_words_become_a_comment(
    client: TestClient,
    make: Factory,
    project: Any,
    agents: Agents,
    heard: Heard,
    record: Record,
    backend: FakeBackend,
) -> None:
    agent = agents.make("Work on #{{ ticket_number }} of {{ project.name }}.")
    agents.trigger(agent, "ticket.created")

    ticket = make.ticket(project, title="It breaks")
    done = heard.wait("agent.complete")

    assert done["ticketNumber"] == ticket["ticket_number"]
    session = record.session(done["kombuseSessionId"])
    assert session["kombuse_session_id"].startswith("trigger-")
    assert (session["status"], session["ticket_id"]) == ("completed", ticket["id"])
    (run,) = backend.runs
    assert run.options.system_prompt is not None
    assert run.options.system_prompt.startswith(f"Work on #1 of {project['name']}.\n\n")
    assert backend.messages[0].startswith("Event: ticket.created\nTicket: #1\nProject: ")
    assert '"title": "It breaks"' in backend.messages[0]
    (comment,) = comments(client, ticket)
    assert comment["author_id"] == agent["id"]
    assert comment["kombuse_session_id"] == session["kombuse_session_id"]
    (invocation,) = invocations(client)
    assert invocation["status"] == "completed"
    kinds = [e["event_type"] for e in client.get("/api/events").json()]
    assert {"agent.started", "agent.completed"} <= set(kinds)
    assert heard.wait("ticket.agent_status", status="idle")["sessionCount"] == 0


def test_the_prompt_tells_the_session_once(
    make: Factory, project: Any, agents: Agents, heard: Heard, backend: FakeBackend
) -> None:
    """By its session our tools know who calls."""
    agents.trigger(agents.make("Plain."), "ticket.created")
    naming = agents.make("You are {{ kombuse_session_id }}.", "Bea")
    agents.trigger(naming, "ticket.closed")
    ticket = make.ticket(project)
    first = heard.wait("agent.complete")["kombuseSessionId"]
    make.client.patch(ticket_path(ticket), json={"status": "closed"})
    second = heard.wait("agent.complete", 2)["kombuseSessionId"]

    plain, named = (run.options.system_prompt or "" for run in backend.runs)
    assert f"Your kombuse_session_id is {first}." in plain
    assert named == f"You are {second}."


def test_a_triggered_backend_is_closed_at_once(
    make: Factory, project: Any, agents: Agents, heard: Heard, backend: FakeBackend, kernel: Kernel
) -> None:
    agents.trigger(agents.make(), "ticket.created")

    make.ticket(project)
    heard.wait("agent.complete")
    asyncio.run(_ended(kernel, heard.of("agent.complete")[0]["kombuseSessionId"]))

    assert backend.runs[0].closed


async def _ended(kernel: Kernel, session_id: str) -> None:
    from kombuse_plugins.sessions.provider import live_sessions

    await live_sessions(kernel).runner.ended(session_id)


def test_an_agent_that_commented_itself_gets_no_second_comment(
    client: TestClient,
    make: Factory,
    project: Any,
    agents: Agents,
    heard: Heard,
    record: Record,
    backend: FakeBackend,
) -> None:
    async def comments_itself(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield used("mcp__kombuse__add_comment")
        yield result("ok")
        yield said("I said it on the ticket")
        yield TurnEnd(success=True)

    backend.script = comments_itself
    agents.trigger(agents.make(), "ticket.created")

    ticket = make.ticket(project)
    done = heard.wait("agent.complete")

    assert comments(client, ticket) == []
    metadata = record.session(done["kombuseSessionId"])["metadata"]
    assert metadata["didCallAddComment"] is True
    assert metadata["lastAssistantMessage"] == "I said it on the ticket"


def test_a_comment_that_was_refused_does_not_count(
    client: TestClient,
    make: Factory,
    project: Any,
    agents: Agents,
    heard: Heard,
    backend: FakeBackend,
) -> None:
    async def is_refused(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield used("mcp__kombuse__add_comment")
        yield result("Permission denied", isError=True)
        yield said("It is done")
        yield TurnEnd(success=True)

    backend.script = is_refused
    agents.trigger(agents.make(), "ticket.created")

    ticket = make.ticket(project)
    heard.wait("agent.complete")

    assert [c["body"] for c in comments(client, ticket)] == ["It is done"]


def test_what_an_agent_quotes_in_passing_mentions_nobody(
    client: TestClient,
    make: Factory,
    project: Any,
    agents: Agents,
    heard: Heard,
    backend: FakeBackend,
) -> None:
    async def quotes(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield said("As @Ada said in #1")
        yield TurnEnd(success=True)

    backend.script = quotes
    agents.trigger(agents.make(), "ticket.created")

    ticket = make.ticket(project)
    heard.wait("agent.complete")

    (comment,) = comments(client, ticket)
    assert client.get(f"/api/comments/{comment['id']}/mentions").json() == []
    assert "mention.created" not in {e["event_type"] for e in client.get("/api/events").json()}


def test_a_plan_becomes_one_comment_that_later_plans_replace(
    client: TestClient,
    make: Factory,
    project: Any,
    agents: Agents,
    heard: Heard,
    record: Record,
    wire: Any,
    backend: FakeBackend,
) -> None:
    plans = iter(("User has approved\n## Approved Plan:\nOne", "Two"))

    async def planning(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield used("ExitPlanMode", "p")
        yield result(next(plans), "p")
        yield TurnEnd(success=True)

    backend.script = planning
    agents.trigger(agents.make(), "ticket.created")
    ticket = make.ticket(project)
    session_id = heard.wait("agent.complete", 1)["kombuseSessionId"]
    first = [c["body"] for c in comments(client, ticket)]

    wire.send("chat", session_id=session_id, message="again")
    heard.wait("agent.complete", 2)

    assert first == ["**Implementation Plan**\n\nOne"]
    (comment,) = comments(client, ticket)
    assert comment["body"] == "**Implementation Plan**\n\nTwo"
    assert record.session(session_id)["metadata"]["planCommentId"] == comment["id"]


def test_a_broken_prompt_fails_its_invocation_and_no_other(
    client: TestClient, make: Factory, project: Any, agents: Agents, heard: Heard
) -> None:
    broken, sound = agents.make("{{ 1 / 0 }}"), agents.make(name="Sound")
    agents.trigger(broken, "ticket.created", priority=5)
    agents.trigger(sound, "ticket.created")

    make.ticket(project)
    heard.wait("agent.complete", 2)

    by_agent = {i["agent_id"]: i for i in invocations(client)}
    assert by_agent[sound["id"]]["status"] == "completed"
    failed = by_agent[broken["id"]]
    assert failed["status"] == "failed"
    assert "system prompt of Ada, line 1: division by zero" in failed["error"]


def test_a_backend_that_does_not_open_fails_the_invocation(
    client: TestClient,
    make: Factory,
    project: Any,
    agents: Agents,
    heard: Heard,
    backend: FakeBackend,
) -> None:
    backend.fails.append(BackendFailed("No such file: /usr/bin/claude"))
    agents.trigger(agents.make(), "ticket.created")

    make.ticket(project)
    heard.wait("agent.complete", status="failed")

    (invocation,) = invocations(client)
    assert invocation["error"] == "No such file: /usr/bin/claude"
    assert heard.wait("ticket.agent_status", status="error")


def test_many_events_run_once_each_and_only_so_many_at_once(
    client: TestClient,
    make: Factory,
    project: Any,
    agents: Agents,
    heard: Heard,
    backend: FakeBackend,
) -> None:
    running, most = 0, 0

    async def counted(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        nonlocal running, most
        running += 1
        most = max(most, running)
        async for item in waits(run, message):
            if isinstance(item, TurnEnd):
                running -= 1
            yield item

    backend.script = counted
    agents.trigger(agents.make(), "ticket.created")

    for _ in range(30):
        make.ticket(project)
    heard.wait("agent.complete", 30, status="completed")

    found = invocations(client)
    assert len({i["event_id"] for i in found}) == len(found) == 30
    assert {i["status"] for i in found} == {"completed"}
    assert 1 < most <= 3


@pytest.fixture
def kombuse_config(kombuse_config: dict[str, Any]) -> dict[str, Any]:
    return kombuse_config | {"agents": {"max_concurrent": 3}}


def test_a_mention_goes_on_with_the_session_of_the_agent_on_the_ticket(
    make: Factory, project: Any, agents: Agents, heard: Heard, backend: FakeBackend
) -> None:
    agent = agents.make(name="Grace")
    agents.trigger(
        agent,
        "mention.created",
        conditions={"mention_type": "profile", "mentioned_profile_id": agent["id"]},
    )
    ticket, other = make.ticket(project), make.ticket(project)

    for count, where in enumerate((ticket, ticket, other), 1):
        make.comment(where, body=f"@Grace look {count}")
        heard.wait("agent.complete", count)

    ids = [m["kombuseSessionId"] for m in heard.of("agent.complete")]
    assert ids[0] == ids[1] != ids[2]
    assert [run.options.resume_id for run in backend.runs] == [None, "backend-1", None]


def test_a_failed_run_is_tried_again_in_its_session_when_the_agent_wants_that(
    client: TestClient,
    make: Factory,
    project: Any,
    agents: Agents,
    heard: Heard,
    backend: FakeBackend,
    kernel: Kernel,
) -> None:
    backend.fails.append(BackendFailed("not yet"))
    agents.trigger(agents.make(retry_on_failure=True), "ticket.created")
    make.ticket(project)
    first = heard.wait("agent.complete", status="failed")

    with kernel.db.write() as tx:
        tx.execute("UPDATE agent_invocations SET run_at = ?", (tx.now,))
    _wake(kernel)

    second = heard.wait("agent.complete", status="completed")
    assert second["kombuseSessionId"] == first["kombuseSessionId"]
    (invocation,) = invocations(client)
    assert (invocation["status"], invocation["attempts"]) == ("completed", 2)


def _wake(kernel: Kernel) -> None:
    from kombuse_sdk.contracts import Sessions

    kernel.services.get(Sessions).wake()


def test_what_runs_cost_is_summed_by_day_agent_and_ticket(
    client: TestClient,
    make: Factory,
    project: Any,
    agents: Agents,
    heard: Heard,
    backend: FakeBackend,
) -> None:
    async def costs(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield TurnEnd(
            success=True,
            usage=Usage(input_tokens=7, output_tokens=3, cache_read_tokens=1, cost_usd=0.5),
        )

    backend.script = costs
    agent = agents.make()
    agents.trigger(agent, "ticket.created")
    ticket = make.ticket(project)
    make.ticket(project)
    heard.wait("agent.complete", 2)

    def usage(**query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = client.get("/api/sessions/usage", params=query).json()
        return found

    (day,) = usage(group_by="day", project_id=project["slug"])
    (by_agent,) = usage(group_by="agent")
    (by_ticket,) = usage(group_by="ticket", ticket_id=ticket["id"])
    assert (day["sessions"], day["turns"], day["input_tokens"], day["cost_usd"]) == (2, 2, 14, 1.0)
    assert (by_agent["agent_id"], by_agent["output_tokens"]) == (agent["id"], 6)
    assert (by_ticket["ticket_id"], by_ticket["cache_read_tokens"]) == (ticket["id"], 1)
    session = client.get("/api/sessions").json()[0]
    client.delete(f"/api/sessions/{session['kombuse_session_id']}")
    assert usage(group_by="agent") == [by_agent]


def test_a_chat_may_go_on_with_a_triggered_session_of_an_agent_without_chats(
    make: Factory, project: Any, agents: Agents, heard: Heard, wire: Any, backend: FakeBackend
) -> None:
    agents.trigger(agents.make(enabled_for_chat=False), "ticket.created")
    make.ticket(project)
    session_id = heard.wait("agent.complete")["kombuseSessionId"]

    wire.send("chat", session_id=session_id, message="And now?")

    assert heard.wait("agent.complete", 2)["projectId"] == project["id"]
    assert backend.messages[-1] == "And now?"
