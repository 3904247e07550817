"""Invocations: listed, claimed, ended, retried, continued."""

import threading
from datetime import datetime
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import FakeSessions, Runs, make_agent, make_trigger, new_session
from tests.plans import Planner

from kombuse_plugins.triggers import invocations as provider
from kombuse_plugins.triggers import queries
from kombuse_plugins.triggers.schemas import InvocationFilter
from kombuse_sdk.contracts import Invocations
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


@pytest.fixture
def agent(client: TestClient) -> Any:
    return make_agent(client)


@pytest.fixture
def ticket(client: TestClient, make: Factory, runs: Runs, agent: Any) -> Any:
    """A ticket for which a run of the agent waits."""
    make_trigger(client, agent, "ticket.created")
    made = make.ticket(make.project())
    runs.dispatch()
    return made


def one(client: TestClient, invocation_id: int) -> Any:
    return client.get(f"/api/invocations/{invocation_id}").json()


def make_due(kernel: Kernel) -> None:
    with kernel.db.write() as tx:
        tx.execute("UPDATE agent_invocations SET run_at = created_at")


def change_agent(client: TestClient, agent: Any, **config: Any) -> None:
    answer = client.patch(f"/api/agents/{agent['id']}", json={"config": config})
    assert answer.status_code == 200, answer.text


def test_a_claimed_invocation_runs_in_a_session(
    client: TestClient, runs: Runs, agent: Any, ticket: Any
) -> None:
    invocation, session_id = runs.start()

    shown = one(client, invocation.id)
    assert (shown["status"], shown["attempts"]) == ("running", 1)
    assert shown["kombuse_session_id"] == session_id
    assert shown["started_at"]
    assert (invocation.agent_id, invocation.ticket_id) == (agent["id"], ticket["id"])
    (event,) = runs.events("agent.started")
    assert (event["actor_id"], event["actor_type"]) == (agent["id"], "agent")
    assert (event["ticket_id"], event["kombuse_session_id"]) == (ticket["id"], session_id)
    assert runs.claim() is None


def test_completion_ends_the_runs_of_the_session_and_is_told(
    client: TestClient, runs: Runs, agent: Any, ticket: Any
) -> None:
    invocation, session_id = runs.start()

    runs.complete(session_id)
    runs.complete(session_id)

    shown = one(client, invocation.id)
    assert (shown["status"], shown["error"]) == ("completed", None)
    assert shown["completed_at"]
    (event,) = runs.events("agent.completed")
    assert event["payload"] == (
        f'{{"invocation_id":{invocation.id},"agent_id":"{agent["id"]}",'
        f'"completing_agent_id":"{agent["id"]}","completing_agent_type":"kombuse"}}'
    )


def test_failure_is_told_with_its_reason(client: TestClient, runs: Runs, ticket: Any) -> None:
    invocation, session_id = runs.start()

    runs.fail(session_id, "out of luck", retry=True)

    shown = one(client, invocation.id)
    assert (shown["status"], shown["error"]) == ("failed", "out of luck")
    (event,) = runs.events("agent.failed")
    assert '"error":"out of luck"' in event["payload"]


def test_a_run_without_a_ticket_is_not_told(client: TestClient, runs: Runs, agent: Any) -> None:
    make_trigger(client, agent, "custom")
    client.post("/api/events", json={"event_type": "custom", "actor_type": "user", "payload": {}})
    runs.dispatch()

    _, session_id = runs.start()
    runs.complete(session_id)

    assert [i["status"] for i in runs.all()] == ["completed"]
    assert runs.events("agent.started") == runs.events("agent.completed") == []


def test_retries_wait_twice_as_long_each_time_until_the_attempts_are_used_up(
    kernel: Kernel,
    client: TestClient,
    runs: Runs,
    agent: Any,
    ticket: Any,
    sessions: FakeSessions,
) -> None:
    change_agent(client, agent, retry_on_failure=True)
    pauses = []
    for _ in range(2):
        invocation, session_id = runs.start()
        runs.fail(session_id, "flaky", retry=True)
        shown = one(client, invocation.id)
        assert (shown["status"], shown["error"]) == ("pending", "flaky")
        pauses.append(shown["run_at"])
        started = datetime.fromisoformat(shown["started_at"])
        waited = (datetime.fromisoformat(shown["run_at"]) - started).total_seconds()
        assert round(waited) == 5 * len(pauses)
        assert runs.claim() is None
        with kernel.db.read() as tx:
            assert tx.services.get(Invocations).next_due(tx) == shown["run_at"]
        make_due(kernel)

    invocation, session_id = runs.start()
    runs.fail(session_id, "flaky", retry=True)

    shown = one(client, invocation.id)
    assert (shown["status"], shown["attempts"], shown["max_attempts"]) == ("failed", 3, 3)
    assert len(runs.events("agent.failed")) == 1
    assert sessions.wakes == 3


def test_a_stop_is_not_retried(client: TestClient, runs: Runs, agent: Any, ticket: Any) -> None:
    change_agent(client, agent, retry_on_failure=True)
    invocation, session_id = runs.start()

    runs.fail(session_id, "session_aborted", retry=False)

    assert one(client, invocation.id)["status"] == "failed"


def test_a_claimed_invocation_without_a_session_can_be_abandoned(
    kernel: Kernel, client: TestClient, runs: Runs, ticket: Any
) -> None:
    invocation = runs.claim()
    assert invocation is not None

    with kernel.db.write() as tx:
        tx.services.get(Invocations).abandon(tx, invocation.id, "no folder", retry=False)
        tx.services.get(Invocations).abandon(tx, invocation.id, "again", retry=False)

    assert one(client, invocation.id)["error"] == "no folder"
    assert len(runs.events("agent.failed")) == 1


def test_nothing_is_claimed_without_room(runs: Runs, ticket: Any) -> None:
    assert runs.claim(0) is None
    assert runs.claim(-1) is None
    assert runs.claim(1) is not None


def test_what_is_not_due_waits(kernel: Kernel, client: TestClient, runs: Runs, agent: Any) -> None:
    make_trigger(client, agent, "custom")
    body = {"event_type": "custom", "actor_type": "system", "payload": {}}
    event_id = client.post("/api/events", json=body).json()["id"]
    client.post("/api/agents/process-event", json={"event_id": event_id})

    assert runs.claim() is None

    make_due(kernel)
    assert runs.claim() is not None


def test_runs_that_a_crash_cut_off_before_their_session_wait_again(
    kernel: Kernel, client: TestClient, runs: Runs, ticket: Any
) -> None:
    invocation = runs.claim()
    assert invocation is not None

    with kernel.db.write() as tx:
        provider.recover(tx)

    assert one(client, invocation.id)["status"] == "pending"
    again, session_id = runs.start()
    assert (again.id, again.attempts) == (invocation.id, 1)
    with kernel.db.write() as tx:
        provider.recover(tx)
    assert one(client, again.id)["kombuse_session_id"] == session_id
    assert one(client, again.id)["status"] == "running"


def test_many_claimers_never_get_the_same_invocation(
    client: TestClient, make: Factory, runs: Runs, agent: Any
) -> None:
    make_trigger(client, agent, "ticket.created")
    project = make.project()
    for _ in range(20):
        make.ticket(project)
    runs.dispatch()
    claimed: list[int] = []

    def claim_all() -> None:
        while (invocation := runs.claim()) is not None:
            claimed.append(invocation.id)

    threads = [threading.Thread(target=claim_all) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(claimed) == [invocation["id"] for invocation in runs.all()]


def test_history_outlives_the_trigger_but_not_the_agent(
    client: TestClient, runs: Runs, agent: Any, ticket: Any
) -> None:
    (before,) = runs.all()

    client.delete(f"/api/triggers/{before['trigger_id']}")
    (after,) = runs.all()

    assert after == {**before, "trigger_id": None}
    client.delete(f"/api/agents/{agent['id']}")
    assert runs.all() == []


def test_history_outlives_the_ticket_and_the_project(
    client: TestClient, runs: Runs, ticket: Any
) -> None:
    client.delete(f"/api/projects/{ticket['project_id']}")

    (kept,) = runs.all()

    assert (kept["project_id"], kept["context"]["ticket_id"]) == (None, ticket["id"])


def test_a_chat_turn_is_an_invocation_that_runs(
    kernel: Kernel, client: TestClient, make: Factory, runs: Runs, agent: Any
) -> None:
    ticket = make.ticket(make.project())
    session_id = new_session().replace("trigger", "chat")
    where = {"project_id": ticket["project_id"], "ticket_id": ticket["id"]}
    with kernel.db.write() as tx:
        invocations = tx.services.get(Invocations)
        first = invocations.begin_chat(tx, agent["id"], session_id, **where)
        assert invocations.begin_chat(tx, agent["id"], session_id, **where) == first

    shown = one(client, first)
    assert (shown["status"], shown["attempts"], shown["event_id"]) == ("running", 0, None)
    assert shown["context"] == {"event_type": "chat.started", **where}
    assert runs.events("agent.started") == []

    runs.complete(session_id)
    assert len(runs.events("agent.completed")) == 1


def test_a_later_turn_continues_a_triggered_run_by_a_copy(
    kernel: Kernel, client: TestClient, runs: Runs, agent: Any, ticket: Any
) -> None:
    first, session_id = runs.start()
    runs.complete(session_id)

    with kernel.db.write() as tx:
        second = tx.services.get(Invocations).begin_chat(tx, agent["id"], session_id)
    with kernel.db.read() as tx:
        newest = tx.services.get(Invocations).newest_of_session(tx, session_id)

    assert newest is not None
    assert (newest.id, newest.status) == (second, "running")
    before, after = one(client, first.id), one(client, second)
    for name in ("agent_id", "trigger_id", "event_id", "project_id", "context"):
        assert after[name] == before[name]


def test_invocations_are_filtered(
    kernel: Kernel, client: TestClient, make: Factory, runs: Runs, agent: Any, ticket: Any
) -> None:
    other = make_agent(client, "Other")
    trigger = make_trigger(client, other, "ticket.created")
    project = make.project()
    make.ticket(project)
    runs.dispatch()
    first, session_id = runs.start()
    with kernel.db.write() as tx:
        tx.services.get(Invocations).attach_session(tx, first.id, session_id, "row-1")

    def found(**query: Any) -> list[int]:
        return [invocation["id"] for invocation in runs.all(**query)]

    everything = found()
    assert len(everything) == 3
    assert found(agent_id=other["id"]) == found(trigger_id=trigger["id"]) != []
    assert found(status="running") == [first.id]
    assert found(session_id=session_id) == found(session_id="row-1") == [first.id]
    assert found(kombuse_session_id=session_id) == [first.id]
    assert found(kombuse_session_id="row-1") == []
    assert found(project_id=project["slug"]) == found(project_id=project["id"])
    assert len(found(project_id=project["id"])) == 2
    assert found(project_id="nowhere") == []
    assert found(limit=1, offset=1) == [everything[1]]
    path = f"/api/agents/{other['id']}/invocations"
    of_other = client.get(path, params={"agent_id": agent["id"]}).json()
    assert [invocation["id"] for invocation in of_other] == found(agent_id=other["id"])


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        ("/api/invocations/999", 404, "Invocation not found"),
        ("/api/invocations/x", 400, "Invalid invocation ID"),
        ("/api/agents/nobody/invocations", 404, "Agent not found"),
    ],
)
def test_what_does_not_exist_is_said(
    client: TestClient, path: str, status: int, error: str
) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.json()) == (status, {"error": error})


@pytest.mark.parametrize("query", [{"status": "lost"}, {"limit": 0}, {"trigger_id": 0}])
def test_filters_that_do_not_fit_are_refused(client: TestClient, query: Any) -> None:
    answer = client.get("/api/invocations", params=query)

    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["error"]] == [list(query)]


@pytest.mark.parametrize(
    "query",
    [{}, {"agent_id": "a"}, {"trigger_id": 1}, {"status": "failed"}, {"project_id": "p"}],
)
def test_lists_are_filtered_and_ordered_by_an_index(kernel: Kernel, query: Any) -> None:
    with kernel.db.read() as tx:
        planner: Any = Planner(tx)
        queries.invocations(planner, InvocationFilter(**query), query.get("project_id"))

    assert not [line for line in planner.plan if "TEMP B-TREE" in line]
    assert [line for line in planner.plan if "USING INDEX" in line]


def test_the_next_invocation_is_found_by_an_index(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        plan: list[str] = []
        planner: Any = Planner(tx)
        planner.one = lambda sql, params: plan.extend(
            row["detail"] for row in tx.all(f"EXPLAIN QUERY PLAN {sql}", params)
        )
        queries.next_pending(planner, ["a"])

    assert "agent_invocations_due" in plan[0]
    assert not [line for line in plan if "TEMP B-TREE FOR ORDER" in line]
