"""What keeps invocations from running: loops, double work, attempts, limits."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import FakeSessions, Runs, make_agent, make_trigger

from kombuse_plugins.triggers import guards
from kombuse_sdk.contracts import Invocations
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


def mention(make: Factory, ticket: Any, *agents: Any, by: Any = None) -> None:
    text = " ".join(f"@[x]({agent['id']})" for agent in agents)
    make.comment(ticket, body=text, author_id=by["id"] if by else LOCAL_USER)


def on_mention(client: TestClient, name: str, **config: Any) -> Any:
    agent = make_agent(client, name, config=config)
    conditions = {"mentioned_profile_id": agent["id"]}
    make_trigger(client, agent, "mention.created", conditions=conditions)
    return agent


def set_depth(client: TestClient, value: str) -> None:
    body = {
        "profile_id": LOCAL_USER,
        "setting_key": guards.DEPTH_SETTING,
        "setting_value": value,
    }
    assert client.put("/api/profile-settings", json=body).status_code == 200


def comments(client: TestClient, ticket: Any) -> list[str]:
    return [c["body"] for c in client.get(f"{ticket_path(ticket)}/comments").json()]


def notices(client: TestClient, ticket: Any) -> list[str]:
    return [body for body in comments(client, ticket) if body.startswith("**Agent loop detected**")]


def is_tripped(client: TestClient, ticket: Any) -> Any:
    return client.get(ticket_path(ticket)).json()["loop_protection_tripped"]


def outcomes(runs: Runs) -> list[str]:
    return [invocation["status"] for invocation in runs.all(limit=100)]


def test_mentions_by_agents_are_stopped_at_the_depth_of_the_agent(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    make.ticket(make.project())
    agent, other = on_mention(client, "Helper", max_chain_depth=3), make_agent(client, "Other")
    ticket = make.ticket(make.project())
    for _ in range(5):
        mention(make, ticket, agent, by=other)
        runs.run_all()

    assert outcomes(runs) == ["completed"] * 2 + ["failed"] * 3
    error = (
        "Chain depth limit reached (3 invocations on ticket #1 in the last hour)."
        " Halting to prevent infinite loops."
    )
    assert {i["error"] for i in runs.all(status="failed")} == {error}
    assert notices(client, ticket) == [f"**Agent loop detected** — {error}"]
    (told,) = runs.events("agent.failed")
    assert told["kombuse_session_id"] is None
    assert json.loads(told["payload"])["error"] == error
    assert is_tripped(client, ticket) is True


def test_a_person_can_still_start_an_agent_on_a_ticket_where_loops_were_stopped(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    agent, other = on_mention(client, "Helper", max_chain_depth=2), make_agent(client, "Other")
    ticket = make.ticket(make.project())
    for by in (other, other, None, None, other):
        mention(make, ticket, agent, by=by)
        runs.run_all()

    assert outcomes(runs) == ["completed", "failed", "completed", "completed", "failed"]


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [("2", 1), ("100", 16), ("0", 14), ("101", 14), ("2.5", 14), ("two", 14), ("", 14)],
)
def test_the_depth_is_a_setting_within_bounds(
    client: TestClient, make: Factory, runs: Runs, setting: str, allowed: int
) -> None:
    set_depth(client, setting)
    agent, other = on_mention(client, "Helper"), make_agent(client, "Other")
    ticket = make.ticket(make.project())
    for _ in range(16):
        mention(make, ticket, agent, by=other)
        runs.run_all()

    assert outcomes(runs).count("completed") == allowed


def test_a_ticket_without_loop_protection_lets_agents_go_on_for_long(
    client: TestClient, make: Factory, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "_UNPROTECTED_DEPTH", 6)
    agent, other = on_mention(client, "Helper", max_chain_depth=2), make_agent(client, "Other")
    ticket = make.ticket(make.project(), loop_protection_enabled=False)
    for _ in range(7):
        mention(make, ticket, agent, by=other)
        runs.run_all()

    assert outcomes(runs) == ["completed"] * 5 + ["failed"] * 2
    assert "loop_protection_tripped" not in client.get(ticket_path(ticket)).json()


def test_tickets_are_counted_apart(client: TestClient, make: Factory, runs: Runs) -> None:
    agent, other = on_mention(client, "Helper", max_chain_depth=2), make_agent(client, "Other")
    project = make.project()
    tickets = [make.ticket(project) for _ in range(3)]
    for ticket in tickets:
        mention(make, ticket, agent, by=other)
        runs.run_all()

    assert outcomes(runs) == ["completed"] * 3
    assert [is_tripped(client, ticket) for ticket in tickets] == [False] * 3


def test_what_is_older_than_an_hour_does_not_count(
    kernel: Kernel, client: TestClient, make: Factory, runs: Runs
) -> None:
    agent, other = on_mention(client, "Helper", max_chain_depth=2), make_agent(client, "Other")
    ticket = make.ticket(make.project())
    for _ in range(2):
        mention(make, ticket, agent, by=other)
        runs.run_all()
    assert is_tripped(client, ticket) is True
    with kernel.db.write() as tx:
        long_ago = "2020-01-01T00:00:00.000Z"
        sql = "UPDATE agent_invocations SET created_at = ?, completed_at = ?"
        tx.execute(sql, (long_ago, long_ago))

    assert is_tripped(client, ticket) is False
    for _ in range(2):
        mention(make, ticket, agent, by=other)
        runs.run_all()
    assert outcomes(runs) == ["completed", "failed"] * 2
    assert len(notices(client, ticket)) == 2


def test_a_tripped_ticket_may_not_be_kept_by_clients_for_it_recovers_by_itself(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    agent, other = on_mention(client, "Helper", max_chain_depth=1), make_agent(client, "Other")
    ticket = make.ticket(make.project())
    assert "etag" in client.get(ticket_path(ticket)).headers

    mention(make, ticket, agent, by=other)
    runs.run_all()

    answer = client.get(ticket_path(ticket))
    assert answer.json()["loop_protection_tripped"] is True
    assert "etag" not in answer.headers


def test_lists_of_tickets_do_not_tell_of_loops(client: TestClient, make: Factory) -> None:
    make.ticket(make.project())

    (listed,) = client.get("/api/tickets").json()

    assert "loop_protection_tripped" not in listed


def comment(make: Factory, ticket: Any, count: int = 1) -> None:
    for _ in range(count):
        make.comment(ticket, body="something")


def test_an_agent_works_on_a_ticket_once_at_a_time(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    agent, other = make_agent(client, "Helper"), make_agent(client, "Other")
    make_trigger(client, agent, "comment.added")
    ticket = make.ticket(make.project())
    comment(make, ticket)
    runs.dispatch()
    first, session_id = runs.start()
    make_trigger(client, other, "comment.added")
    comment(make, ticket)
    runs.dispatch()

    second = runs.claim()

    assert second is not None
    assert second.agent_id == other["id"]
    assert runs.claim() is None
    (skipped,) = runs.all(status="failed")
    assert skipped["error"] == (
        f"Skipped: agent {agent['id']} already has active invocation #{first.id} on ticket #1"
    )
    assert runs.events("agent.failed") == []
    runs.complete(session_id)
    comment(make, ticket)
    runs.dispatch()
    assert runs.claim() is not None


def test_a_mention_during_a_run_is_answered_after_it_and_once(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    agent, other = on_mention(client, "Helper"), on_mention(client, "Other")
    ticket = make.ticket(make.project())
    mention(make, ticket, agent)
    runs.dispatch()
    first, session_id = runs.start()
    mention(make, ticket, agent)
    mention(make, ticket, agent, other)
    runs.dispatch()

    meanwhile = runs.claim()
    assert meanwhile is not None
    assert meanwhile.agent_id == other["id"]
    assert runs.claim() is None
    runs.complete(session_id)
    second, session_id = runs.start()
    assert runs.claim() is None
    runs.fail(session_id)
    third, session_id = runs.start()
    runs.complete(session_id)

    assert runs.claim() is None
    own = [i for i in runs.all() if i["agent_id"] == agent["id"]]
    assert [i["id"] for i in own] == [first.id, second.id, third.id]
    assert [i["status"] for i in own] == ["completed", "failed", "completed"]


def test_a_mention_that_waits_holds_up_nobody_else(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    agent = on_mention(client, "Helper")
    ticket, free = (make.ticket(make.project()) for _ in range(2))
    mention(make, ticket, agent)
    runs.dispatch()
    runs.start()
    mention(make, ticket, agent)
    mention(make, free, agent)
    runs.dispatch()

    claimed = runs.claim()

    assert claimed is not None
    assert claimed.ticket_id == free["id"]


@pytest.mark.parametrize("trusts", [False, True])
def test_what_an_imported_author_does_starts_only_agents_that_trust_it(
    client: TestClient, make: Factory, runs: Runs, trusts: bool
) -> None:
    agent = on_mention(client, "Helper", **({"trusts_imported_authors": True} if trusts else {}))
    make_trigger(client, agent, "ticket.created", allowed_invokers=[{"type": "any"}])
    stranger = make.profile(external_source="github", external_id="7")
    project = make.project()

    ticket = make.ticket(project, author_id=stranger["id"])
    runs.run_all()
    mention(make, ticket, agent, by=stranger)
    runs.run_all()

    assert outcomes(runs) == ["completed" if trusts else "failed"] * 2
    reasons = {i["error"] for i in runs.all()}
    told = (
        f"Not started: {stranger['id']}, who caused the event, was imported and is not trusted."
        " An agent with trusts_imported_authors: true in its config starts all the same."
    )
    assert reasons == ({None} if trusts else {told})
    if not trusts:
        assert runs.events("agent.failed") == []
    mention(make, ticket, agent)
    runs.run_all()
    assert outcomes(runs)[-1] == "completed"


def test_of_two_that_wait_for_one_agent_and_ticket_the_first_runs(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    agent = make_agent(client, "Helper")
    make_trigger(client, agent, "comment.added")
    ticket = make.ticket(make.project())
    comment(make, ticket, count=2)
    runs.dispatch()

    claimed = runs.claim()

    assert claimed is not None
    assert runs.claim() is None
    assert outcomes(runs) == ["running", "failed"]
    assert claimed.id == runs.all()[0]["id"]


def test_used_up_attempts_are_a_failure(
    kernel: Kernel, client: TestClient, make: Factory, runs: Runs
) -> None:
    agent = on_mention(client, "Helper")
    mention(make, make.ticket(make.project()), agent)
    runs.dispatch()
    with kernel.db.write() as tx:
        tx.execute("UPDATE agent_invocations SET attempts = max_attempts")

    assert runs.claim() is None

    (failed,) = runs.all()
    assert failed["error"] == "Invocation exceeded max attempts (3)"
    assert len(runs.events("agent.failed")) == 1


def test_an_agent_that_was_disabled_meanwhile_does_not_run(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    agent = on_mention(client, "Helper")
    mention(make, make.ticket(make.project()), agent)
    runs.dispatch()
    client.patch(f"/api/agents/{agent['id']}", json={"is_enabled": False})

    assert runs.claim() is None
    assert [i["error"] for i in runs.all()] == [f"Agent {agent['id']} is disabled"]


def test_runs_beyond_the_limit_of_an_agent_wait_and_others_pass(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    busy, free = make_agent(client, "Busy", config={"max_concurrent": 2}), make_agent(client)
    for agent in (busy, free):
        make_trigger(client, agent, "ticket.created", priority=int(agent is busy))
    project = make.project()
    for _ in range(3):
        make.ticket(project)
    runs.dispatch()

    claimed = []
    while (invocation := runs.claim()) is not None:
        claimed.append(invocation.agent_id)

    assert claimed.count(busy["id"]) == 2
    assert claimed.count(free["id"]) == 3
    assert outcomes(runs).count("pending") == 1


def test_a_great_many_refusals_are_spread_over_several_transactions(
    kernel: Kernel,
    client: TestClient,
    make: Factory,
    runs: Runs,
    sessions: FakeSessions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_trigger(client, make_agent(client, "Helper"), "comment.added")
    comment(make, make.ticket(make.project()), count=5)
    runs.dispatch()
    assert runs.claim() is not None
    monkeypatch.setattr("kombuse_plugins.triggers.invocations._MOST_REFUSALS", 3)
    sessions.wakes = 0

    assert runs.claim() is None

    assert (outcomes(runs).count("pending"), sessions.wakes) == (1, 1)
    assert runs.claim() is None
    assert outcomes(runs).count("pending") == 0


def test_chats_count_as_runs_on_their_ticket(
    kernel: Kernel, client: TestClient, make: Factory, runs: Runs
) -> None:
    set_depth(client, "2")
    agent = make_agent(client)
    ticket = make.ticket(make.project())
    for number in range(2):
        with kernel.db.write() as tx:
            invocations = tx.services.get(Invocations)
            where = {"project_id": ticket["project_id"], "ticket_id": ticket["id"]}
            invocations.begin_chat(tx, agent["id"], f"chat-{number}", **where)

    assert is_tripped(client, ticket) is True
