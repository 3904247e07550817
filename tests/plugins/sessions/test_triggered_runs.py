"""Triggered runs: an event becomes a turn of a session, once, and ends where it belongs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.sessions.fake_agents import (
    Agents,
    FakeBackend,
    FakeRun,
    Heard,
    Record,
    Wire,
    result,
    said,
    used,
    waits,
)

from kombuse_sdk.agents import AgentEvent, BackendFailed, TurnEnd, Usage
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


@dataclass(frozen=True, slots=True)
class Desk:
    """A project whose tickets start agents, and what came of it."""

    client: TestClient
    make: Factory
    project: Any
    agents: Agents
    heard: Heard

    def ticket(self) -> Any:
        return self.make.ticket(self.project)

    def assign(self, agent: Any = None, **trigger: Any) -> None:
        """Start an agent with every new ticket."""
        self.agents.trigger(agent or self.agents.make(), "ticket.created", **trigger)

    def run(self, agent: Any = None, **expected: Any) -> tuple[Any, dict[str, Any]]:
        """A new ticket that starts an agent, and what was told at the end of the run."""
        self.assign(agent)
        ticket = self.ticket()
        return ticket, self.heard.wait("agent.complete", **expected)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, params=query).json()

    def comments(self, ticket: Any) -> Any:
        return self.get(f"{ticket_path(ticket)}/comments")

    def invocations(self) -> Any:
        return self.get("/api/invocations")

    def event_types(self) -> set[str]:
        return {event["event_type"] for event in self.get("/api/events")}


@pytest.fixture
def desk(client: TestClient, make: Factory, project: Any, agents: Agents, heard: Heard) -> Desk:
    return Desk(client, make, project, agents, heard)


@pytest.fixture
def kombuse_config(kombuse_config: dict[str, Any]) -> dict[str, Any]:
    return kombuse_config | {"agents": {"max_concurrent": 3}}


def test_an_event_runs_the_agent_and_its_last_words_become_a_comment(
    desk: Desk, record: Record, backend: FakeBackend
) -> None:
    agent = desk.agents.make("Work on #{{ ticket_number }} of {{ project.name }}.")
    desk.assign(agent)

    ticket = desk.make.ticket(desk.project, title="It breaks")
    done = desk.heard.wait("agent.complete")

    assert done["ticketNumber"] == ticket["ticket_number"]
    session = record.session(done["kombuseSessionId"])
    assert session["kombuse_session_id"].startswith("trigger-")
    assert (session["status"], session["ticket_id"]) == ("completed", ticket["id"])
    (run,) = backend.runs
    assert run.options.system_prompt is not None
    assert run.options.system_prompt.startswith(f"Work on #1 of {desk.project['name']}.\n\n")
    assert backend.messages[0].startswith("Event: ticket.created\nTicket: #1\nProject: ")
    assert '"title": "It breaks"' in backend.messages[0]
    (comment,) = desk.comments(ticket)
    assert comment["author_id"] == agent["id"]
    assert comment["kombuse_session_id"] == session["kombuse_session_id"]
    (invocation,) = desk.invocations()
    assert invocation["status"] == "completed"
    assert {"agent.started", "agent.completed"} <= desk.event_types()
    assert desk.heard.wait("ticket.agent_status", status="idle")["sessionCount"] == 0


def test_the_prompt_tells_the_session_once(desk: Desk, backend: FakeBackend) -> None:
    """By its session our tools know who calls."""
    naming = desk.agents.make("You are {{ kombuse_session_id }}.", "Bea")
    desk.agents.trigger(naming, "ticket.closed")
    ticket, done = desk.run(desk.agents.make("Plain."))
    first = done["kombuseSessionId"]
    desk.client.patch(ticket_path(ticket), json={"status": "closed"})
    second = desk.heard.wait("agent.complete", 2)["kombuseSessionId"]

    plain, named = (run.options.system_prompt or "" for run in backend.runs)
    assert f"Your kombuse_session_id is {first}." in plain
    assert named == f"You are {second}."


def test_a_triggered_backend_is_closed_at_once(
    desk: Desk, backend: FakeBackend, kernel: Kernel
) -> None:
    _, done = desk.run()
    asyncio.run(_ended(kernel, done["kombuseSessionId"]))

    assert backend.runs[0].closed


async def _ended(kernel: Kernel, session_id: str) -> None:
    from kombuse_plugins.sessions.provider import live_sessions

    await live_sessions(kernel).runner.ended(session_id)


def test_an_agent_that_commented_itself_gets_no_second_comment(
    desk: Desk, record: Record, backend: FakeBackend
) -> None:
    async def comments_itself(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield used("mcp__kombuse__add_comment")
        yield result("ok")
        yield said("I said it on the ticket")
        yield TurnEnd(success=True)

    backend.script = comments_itself

    ticket, done = desk.run()

    assert desk.comments(ticket) == []
    metadata = record.session(done["kombuseSessionId"])["metadata"]
    assert metadata["didCallAddComment"] is True
    assert metadata["lastAssistantMessage"] == "I said it on the ticket"


def test_a_comment_that_was_refused_does_not_count(desk: Desk, backend: FakeBackend) -> None:
    async def is_refused(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield used("mcp__kombuse__add_comment")
        yield result("Permission denied", isError=True)
        yield said("It is done")
        yield TurnEnd(success=True)

    backend.script = is_refused

    ticket, _ = desk.run()

    assert [c["body"] for c in desk.comments(ticket)] == ["It is done"]


def test_what_an_agent_quotes_in_passing_mentions_nobody(desk: Desk, backend: FakeBackend) -> None:
    async def quotes(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield said("As @Ada said in #1")
        yield TurnEnd(success=True)

    backend.script = quotes

    ticket, _ = desk.run()

    (comment,) = desk.comments(ticket)
    assert desk.get(f"/api/comments/{comment['id']}/mentions") == []
    assert "mention.created" not in desk.event_types()


def test_a_plan_becomes_one_comment_that_later_plans_replace(
    desk: Desk, record: Record, wire: Wire, backend: FakeBackend
) -> None:
    plans = iter(("User has approved\n## Approved Plan:\nOne", "Two"))

    async def planning(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield used("ExitPlanMode", "p")
        yield result(next(plans), "p")
        yield TurnEnd(success=True)

    backend.script = planning
    ticket, done = desk.run()
    session_id = done["kombuseSessionId"]
    first = [c["body"] for c in desk.comments(ticket)]

    wire.send("chat", session_id=session_id, message="again")
    desk.heard.wait("agent.complete", 2)

    assert first == ["**Implementation Plan**\n\nOne"]
    (comment,) = desk.comments(ticket)
    assert comment["body"] == "**Implementation Plan**\n\nTwo"
    assert record.session(session_id)["metadata"]["planCommentId"] == comment["id"]


def test_a_broken_prompt_fails_its_invocation_and_no_other(desk: Desk) -> None:
    broken, sound = desk.agents.make("{{ 1 / 0 }}"), desk.agents.make(name="Sound")
    desk.assign(broken, priority=5)

    desk.run(sound, count=2)

    by_agent = {i["agent_id"]: i for i in desk.invocations()}
    assert by_agent[sound["id"]]["status"] == "completed"
    failed = by_agent[broken["id"]]
    assert failed["status"] == "failed"
    assert "system prompt of Ada, line 1: division by zero" in failed["error"]


def test_a_backend_that_does_not_open_fails_the_invocation(
    desk: Desk, backend: FakeBackend
) -> None:
    backend.fails.append(BackendFailed("No such file: /usr/bin/claude"))

    desk.run(status="failed")

    (invocation,) = desk.invocations()
    assert invocation["error"] == "No such file: /usr/bin/claude"
    assert desk.heard.wait("ticket.agent_status", status="error")


def test_many_events_run_once_each_and_only_so_many_at_once(
    desk: Desk, backend: FakeBackend
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
    desk.assign()

    for _ in range(30):
        desk.ticket()
    desk.heard.wait("agent.complete", 30, status="completed")

    found = desk.invocations()
    assert len({i["event_id"] for i in found}) == len(found) == 30
    assert {i["status"] for i in found} == {"completed"}
    assert 1 < most <= 3


def test_a_mention_goes_on_with_the_session_of_the_agent_on_the_ticket(
    desk: Desk, backend: FakeBackend
) -> None:
    agent = desk.agents.make(name="Grace")
    desk.agents.trigger(
        agent,
        "mention.created",
        conditions={"mention_type": "profile", "mentioned_profile_id": agent["id"]},
    )
    ticket, other = desk.ticket(), desk.ticket()

    for count, where in enumerate((ticket, ticket, other), 1):
        desk.make.comment(where, body=f"@Grace look {count}")
        desk.heard.wait("agent.complete", count)

    ids = [m["kombuseSessionId"] for m in desk.heard.of("agent.complete")]
    assert ids[0] == ids[1] != ids[2]
    assert [run.options.resume_id for run in backend.runs] == [None, "backend-1", None]


def test_a_failed_run_is_tried_again_in_its_session_when_the_agent_wants_that(
    desk: Desk, backend: FakeBackend, kernel: Kernel
) -> None:
    backend.fails.append(BackendFailed("not yet"))
    _, first = desk.run(desk.agents.make(retry_on_failure=True), status="failed")

    with kernel.db.write() as tx:
        tx.execute("UPDATE agent_invocations SET run_at = ?", (tx.now,))
    _wake(kernel)

    second = desk.heard.wait("agent.complete", status="completed")
    assert second["kombuseSessionId"] == first["kombuseSessionId"]
    (invocation,) = desk.invocations()
    assert (invocation["status"], invocation["attempts"]) == ("completed", 2)


def _wake(kernel: Kernel) -> None:
    from kombuse_sdk.contracts import Sessions

    kernel.services.get(Sessions).wake()


def test_what_runs_cost_is_summed_by_day_agent_and_ticket(desk: Desk, backend: FakeBackend) -> None:
    async def costs(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield TurnEnd(
            success=True,
            usage=Usage(input_tokens=7, output_tokens=3, cache_read_tokens=1, cost_usd=0.5),
        )

    backend.script = costs
    agent = desk.agents.make()
    ticket, _ = desk.run(agent)
    desk.ticket()
    desk.heard.wait("agent.complete", 2)

    def usage(**query: Any) -> Any:
        return desk.get("/api/sessions/usage", **query)

    (day,) = usage(group_by="day", project_id=desk.project["slug"])
    (by_agent,) = usage(group_by="agent")
    (by_ticket,) = usage(group_by="ticket", ticket_id=ticket["id"])
    assert (day["sessions"], day["turns"], day["input_tokens"], day["cost_usd"]) == (2, 2, 14, 1.0)
    assert (by_agent["agent_id"], by_agent["output_tokens"]) == (agent["id"], 6)
    assert (by_ticket["ticket_id"], by_ticket["cache_read_tokens"]) == (ticket["id"], 1)
    session = desk.get("/api/sessions")[0]
    desk.client.delete(f"/api/sessions/{session['kombuse_session_id']}")
    assert usage(group_by="agent") == [by_agent]


def test_a_chat_may_go_on_with_a_triggered_session_of_an_agent_without_chats(
    desk: Desk, wire: Wire, backend: FakeBackend
) -> None:
    _, done = desk.run(desk.agents.make(enabled_for_chat=False))

    wire.send("chat", session_id=done["kombuseSessionId"], message="And now?")

    assert desk.heard.wait("agent.complete", 2)["projectId"] == desk.project["id"]
    assert backend.messages[-1] == "And now?"
