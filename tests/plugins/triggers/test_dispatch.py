"""From events to invocations: what passes the gate, what matches, and each pair once."""

import threading
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import FakeSessions, Runs, make_agent, make_trigger, new_session

from kombuse_plugins.triggers import dispatch
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.events import Event, StoredEvent
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


def emit(client: TestClient, event_type: str = "custom", **values: Any) -> int:
    body = {"event_type": event_type, "actor_type": "user", "payload": {}} | values
    answer = client.post("/api/events", json=body)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def process(client: TestClient, event_id: int) -> Any:
    answer = client.post("/api/agents/process-event", json={"event_id": event_id})
    assert answer.status_code == 200, answer.text
    return answer.json()


def fired(client: TestClient, event_type: str = "custom", **values: Any) -> list[int]:
    """The triggers that an event fires, whoever caused it."""
    made = process(client, emit(client, event_type, **values))
    return [invocation["trigger_id"] for invocation in made["invocations"]]


def test_what_a_person_does_queues_a_run_of_the_agent(
    client: TestClient, make: Factory, runs: Runs, sessions: FakeSessions
) -> None:
    agent = make_agent(client, config={"max_retries": 4})
    trigger = make_trigger(client, agent, "ticket.created")
    ticket = make.ticket(make.project())

    runs.dispatch()

    (queued,) = runs.all()
    event_id = queued["event_id"]
    assert queued == {
        "id": queued["id"],
        "agent_id": agent["id"],
        "trigger_id": trigger["id"],
        "event_id": event_id,
        "session_id": None,
        "project_id": ticket["project_id"],
        "kombuse_session_id": None,
        "status": "pending",
        "attempts": 0,
        "max_attempts": 5,
        "run_at": queued["created_at"],
        "context": {
            "event_id": event_id,
            "event_type": "ticket.created",
            "project_id": ticket["project_id"],
            "ticket_id": ticket["id"],
            "comment_id": None,
        },
        "result": None,
        "error": None,
        "started_at": None,
        "completed_at": None,
        "created_at": queued["created_at"],
    }
    assert sessions.wakes == 1


def test_a_comment_is_named_in_the_context(client: TestClient, make: Factory, runs: Runs) -> None:
    make_trigger(client, make_agent(client), "comment.added")
    comment = make.comment(make.ticket(make.project()))

    runs.dispatch()

    assert [queued["context"]["comment_id"] for queued in runs.all()] == [comment["id"]]


@pytest.mark.parametrize("actor_type", ["agent", "system"])
@pytest.mark.parametrize(
    ("event_type", "starts"),
    [
        ("ticket.updated", False),
        ("custom", False),
        ("agent.started", True),
        ("agent.completed", True),
        ("agent.failed", True),
        ("mention.created", True),
    ],
)
def test_agents_and_the_system_start_agents_by_few_events_only(
    client: TestClient, runs: Runs, actor_type: str, event_type: str, starts: bool
) -> None:
    make_trigger(client, make_agent(client), event_type, conditions={"x": 1})

    emit(client, event_type, actor_type=actor_type, payload={"x": 1})
    runs.dispatch()

    assert len(runs.all()) == int(starts)


@pytest.mark.parametrize(("event_type", "starts"), [("custom", False), ("agent.completed", True)])
def test_what_happens_in_a_session_starts_agents_by_few_events_only(
    kernel: Kernel, client: TestClient, runs: Runs, event_type: str, starts: bool
) -> None:
    make_trigger(client, make_agent(client), event_type)

    with kernel.db.write() as tx:
        tx.emit(Event(event_type=event_type, actor_type="user", kombuse_session_id=new_session()))
    runs.dispatch()

    assert len(runs.all()) == int(starts)


def test_a_ticket_may_keep_triggers_off(client: TestClient, make: Factory, runs: Runs) -> None:
    make_trigger(client, make_agent(client), "ticket.created")

    make.ticket(make.project(), triggers_enabled=False)
    runs.dispatch()

    assert runs.all() == []


def test_a_mention_by_a_person_starts_the_agent_that_is_meant(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    agent, other = make_agent(client, "Helper"), make_agent(client, "Other")
    for each in (agent, other):
        make_trigger(
            client, each, "mention.created", conditions={"mentioned_profile_id": each["id"]}
        )

    make.comment(make.ticket(make.project()), body="@Helper, please")
    runs.dispatch()

    assert [queued["agent_id"] for queued in runs.all()] == [agent["id"]]


def test_an_agent_that_may_not_invoke_others_mentions_in_vain(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    silent = make_agent(client, "Silent", config={"can_invoke_agents": False})
    make_trigger(
        client, make_agent(client), "mention.created", conditions={"mention_type": "profile"}
    )
    ticket = make.ticket(make.project())

    comment = make.comment(ticket, author_id=silent["id"], body="@Helper #1")
    runs.dispatch()

    assert runs.all() == []
    assert [event["payload"] for event in runs.events("mention.created")] != []
    mentions = client.get(f"/api/comments/{comment['id']}/mentions").json()
    assert [mention["mention_type"] for mention in mentions] == ["profile", "ticket"]


def test_the_log_before_the_start_of_the_dispatcher_is_not_followed_twice(
    kernel: Kernel, client: TestClient, make: Factory, runs: Runs
) -> None:
    make_trigger(client, make_agent(client), "ticket.created")
    make.ticket(make.project())

    for _ in range(3):
        runs.dispatch()

    assert len(runs.all()) == 1


def test_conditions_see_what_became_of_a_ticket(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    agent = make_agent(client)
    wanted = [
        {"status": "blocked"},
        {"status": "blocked", "previous_status": "open"},
        {"changes": "priority"},
        {"priority": 3},
    ]
    unwanted: list[dict[str, Any]] = [
        {"previous_status": "closed"},
        {"changes": "title"},
        {"exclude_status": ["blocked", "closed"]},
        {"previous_assignee_id": None},
    ]
    expected = [
        make_trigger(client, agent, "ticket.updated", conditions=conditions)["id"]
        for conditions in wanted
    ]
    for conditions in unwanted:
        make_trigger(client, agent, "ticket.updated", conditions=conditions)
    ticket = make.ticket(make.project())

    body = {"status": "blocked", "priority": 3, "updated_by_id": LOCAL_USER}
    assert client.patch(ticket_path(ticket), json=body).status_code == 200
    runs.dispatch()

    assert sorted(queued["trigger_id"] for queued in runs.all()) == expected


def test_triggers_fire_by_priority_and_then_the_newest_first(client: TestClient) -> None:
    agent = make_agent(client)
    old, high, new = (
        make_trigger(client, agent, "custom", priority=priority)["id"] for priority in (0, 9, 0)
    )

    assert fired(client) == [high, new, old]


def test_event_types_are_compared_exactly(client: TestClient) -> None:
    agent = make_agent(client)
    for event_type in ("Custom", "custom.x", "*", "custo"):
        make_trigger(client, agent, event_type)

    assert fired(client, "custom") == []


def test_triggers_and_agents_are_bound_to_their_project(client: TestClient, make: Factory) -> None:
    here, elsewhere = make.project()["id"], make.project()["id"]
    everywhere = make_agent(client)
    local = make_agent(client, "Local", project_id=here)
    of_all = make_trigger(client, everywhere, "custom")["id"]
    of_here = make_trigger(client, everywhere, "custom", project_id=here)["id"]
    by_local = make_trigger(client, local, "custom")["id"]

    assert sorted(fired(client, project_id=here)) == [of_all, of_here, by_local]
    assert fired(client, project_id=elsewhere) == [of_all]
    assert fired(client) == [of_all]


def test_disabled_triggers_and_agents_do_not_fire(client: TestClient) -> None:
    agent, off = make_agent(client), make_agent(client, "Off", is_enabled=False)
    make_trigger(client, agent, "custom", is_enabled=False)
    make_trigger(client, off, "custom")

    assert fired(client) == []


def test_only_allowed_invokers_fire_a_trigger(client: TestClient) -> None:
    plain, coder = make_agent(client, "Plain"), make_agent(client, "C", config={"type": "coder"})
    rules: dict[str, Any] = {
        "everybody": None,
        "empty": [],
        "any": [{"type": "any"}],
        "user": [{"type": "user"}],
        "system": [{"type": "system"}],
        "agent": [{"type": "agent"}],
        "plain": [{"type": "agent", "agent_id": plain["id"]}],
        "default": [{"type": "agent", "agent_type": "kombuse"}],
        "coder": [{"type": "agent", "agent_type": "coder"}],
        "both": [{"type": "agent", "agent_id": plain["id"], "agent_type": "coder"}],
        "either": [{"type": "user"}, {"type": "agent", "agent_type": "coder"}],
    }
    names = {
        make_trigger(client, plain, "custom", allowed_invokers=rule)["id"]: name
        for name, rule in rules.items()
    }

    def by(actor_type: str, actor_id: str | None = None) -> set[str]:
        actor = {"actor_id": actor_id} if actor_id else {}
        return {names[i] for i in fired(client, actor_type=actor_type, **actor)}

    always = {"everybody", "empty", "any"}
    assert by("user", LOCAL_USER) == always | {"user", "either"}
    assert by("system") == always | {"system"}
    assert by("agent", plain["id"]) == always | {"agent", "plain", "default"}
    assert by("agent", coder["id"]) == always | {"agent", "coder", "either"}
    assert by("agent") == always | {"agent"}


def test_processing_an_event_passes_the_gate_and_lets_the_runs_wait_a_moment(
    client: TestClient, runs: Runs, sessions: FakeSessions
) -> None:
    trigger = make_trigger(client, make_agent(client), "custom")
    event_id = emit(client, actor_type="system", payload={"k": 1})

    made = process(client, event_id)

    assert made["event_id"] == event_id
    assert made["invocations_created"] == 1
    assert made["invocations"] == runs.all()
    (queued,) = runs.all()
    assert (queued["trigger_id"], queued["status"]) == (trigger["id"], "pending")
    assert queued["run_at"] > queued["created_at"]
    assert sessions.wakes == 1


def test_processing_an_event_again_answers_the_same(client: TestClient, runs: Runs) -> None:
    make_trigger(client, make_agent(client), "custom")
    event_id = emit(client)
    runs.dispatch()

    first, second = process(client, str(event_id)), process(client, event_id)  # type: ignore[arg-type]

    assert first == second
    assert first["invocations"] == runs.all()


def test_a_trigger_that_came_later_fires_when_the_event_is_processed_again(
    client: TestClient, runs: Runs
) -> None:
    agent = make_agent(client)
    make_trigger(client, agent, "custom")
    event_id = emit(client)
    runs.dispatch()
    make_trigger(client, agent, "custom", priority=1)

    made = process(client, event_id)

    assert made["invocations_created"] == 2
    assert len(runs.all()) == 2


def test_an_unknown_event_is_not_found(client: TestClient) -> None:
    path = "/api/agents/process-event"

    assert client.post(path, json={"event_id": 99}).json() == {"error": "Event not found"}
    for value in (0, "x", 1.5, None):
        answer = client.post(path, json={"event_id": value})
        assert [issue["path"] for issue in answer.json()["error"]] == [["event_id"]]


def test_ten_dispatchers_at_once_make_one_invocation_for_each_event_and_trigger(
    kernel: Kernel, client: TestClient, runs: Runs
) -> None:
    agent = make_agent(client)
    triggers = [make_trigger(client, agent, "custom")["id"] for _ in range(3)]
    event_ids = [emit(client) for _ in range(10)]
    barrier = threading.Barrier(10)
    errors: list[Exception] = []

    def follow_all() -> None:
        barrier.wait()
        try:
            for event_id in event_ids:
                with kernel.db.write() as tx:
                    event = StoredEvent(
                        id=event_id, created_at=tx.now, event_type="custom", actor_type="user"
                    )
                    dispatch.follow(tx, event)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=follow_all) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs.dispatch()

    made = [(queued["event_id"], queued["trigger_id"]) for queued in runs.all()]
    assert not errors
    assert sorted(made) == sorted((e, t) for e in event_ids for t in triggers)


def test_an_event_of_a_ticket_that_is_gone_starts_nothing(
    kernel: Kernel, client: TestClient, make: Factory, runs: Runs
) -> None:
    make_trigger(client, make_agent(client), "custom")
    ticket = make.ticket(make.project())
    known = {"id": 1, "created_at": "2026-01-01T00:00:00.000Z", "event_type": "custom"}
    stale = [
        StoredEvent(**known, actor_type="user", ticket_id=ticket["id"]),  # type: ignore[arg-type]
        StoredEvent(**known, actor_type="user", project_id=ticket["project_id"]),  # type: ignore[arg-type]
    ]
    client.delete(f"/api/projects/{ticket['project_id']}")

    with kernel.db.write() as tx:
        for event in stale:
            dispatch.follow(tx, event)

    assert runs.all() == []
