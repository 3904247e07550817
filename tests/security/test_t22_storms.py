"""T22: agents that start each other, themselves, or by the notice about it, are stopped."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import (
    WITHOUT_SESSIONS,
    FakeSessions,
    Runs,
    make_agent,
    make_trigger,
)

from kombuse_sdk.contracts import Comments, Invocations, Tickets
from kombuse_sdk.contracts.invocations import Invocation
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.processes import running_server
from kombuse_sdk.storage import WriteTx
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


@pytest.fixture
def plugins_under_test() -> list[object]:
    return [FakeSessions().plugin()]


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return dict(WITHOUT_SESSIONS)


@pytest.fixture
def runs(kernel: Kernel, client: TestClient) -> Runs:
    return Runs(kernel, client)


def mentioning(whom: dict[str, str]) -> Callable[[WriteTx, Invocation, str], None]:
    """An agent that comments on its ticket: it mentions another agent, and tickets."""

    def comment(tx: WriteTx, run: Invocation, session_id: str) -> None:
        ticket = tx.services.get(Tickets).by_id(tx, run.ticket_id or 0)
        assert ticket is not None
        body = f"over to @[you]({whom[run.agent_id]}), see #1 and #2"
        tx.services.get(Comments).add(
            tx, ticket, author_id=run.agent_id, body=body, kombuse_session_id=session_id
        )

    return comment


def failing(tx: WriteTx, run: Invocation, session_id: str) -> None:
    tx.services.get(Invocations).fail(tx, session_id, "broken", retry=True)


def notices(client: TestClient, ticket: Any) -> list[str]:
    found = client.get(f"{ticket_path(ticket)}/comments", params={"limit": 100}).json()
    return [c["body"] for c in found if c["body"].startswith("**Agent loop detected**")]


@pytest.mark.parametrize("names", [("Ping", "Pong"), ("Self",)])
def test_agents_that_mention_each_other_or_themselves_stop_at_the_depth(
    client: TestClient, make: Factory, runs: Runs, names: tuple[str, ...]
) -> None:
    agents = [make_agent(client, name)["id"] for name in names]
    for agent_id in agents:
        conditions = {"mentioned_profile_id": agent_id}
        make_trigger(client, {"id": agent_id}, "mention.created", conditions=conditions)
    ticket = make.ticket(make.project())
    make.comment(ticket, body=f"@[go]({agents[0]})")

    ran = runs.run_all(mentioning(dict(zip(agents, agents[1:] + agents[:1], strict=True))))

    assert ran == 15
    assert len(notices(client, ticket)) == 1
    assert client.get(ticket_path(ticket)).json()["loop_protection_tripped"] is True


def test_a_trigger_on_every_mention_is_not_fed_by_the_notice_about_it(
    client: TestClient, make: Factory, runs: Runs
) -> None:
    agent = make_agent(client, "Broad", config={"max_chain_depth": 4})
    broad = {"exclude_mention_type": "nothing"}
    make_trigger(client, agent, "mention.created", conditions=broad)
    project = make.project()
    tickets = [make.ticket(project) for _ in range(4)]
    make.comment(tickets[0], body=f"@[go]({agent['id']})")

    runs.run_all(mentioning({agent["id"]: agent["id"]}))

    assert all(len(notices(client, ticket)) <= 1 for ticket in tickets)
    assert len(notices(client, tickets[0])) == 1


@pytest.mark.parametrize("event_type", ["agent.started", "agent.completed", "agent.failed"])
def test_an_agent_that_starts_itself_by_what_is_told_of_it_is_stopped(
    client: TestClient, make: Factory, runs: Runs, event_type: str
) -> None:
    agent = make_agent(client, "Self")
    make_trigger(client, agent, event_type)
    make_trigger(client, agent, "ticket.created")
    ticket = make.ticket(make.project())

    ran = runs.run_all(failing if event_type == "agent.failed" else None)

    assert ran == 15
    assert len(notices(client, ticket)) == 1


def test_after_a_kill_each_event_and_trigger_still_have_one_invocation(tmp_path: Any) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "config.json").write_text('{"disabled_plugins": ["sessions"]}', encoding="utf-8")
    with running_server(home) as server:
        http = server.http
        agent = http.post(
            "/api/agents", json={"name": "A", "description": "d", "system_prompt": "s"}
        ).json()
        for _ in range(2):
            body = {"event_type": "ticket.created"}
            http.post(f"/api/agents/{agent['id']}/triggers", json=body)
        project = http.post("/api/projects", json={"name": "P", "owner_id": LOCAL_USER}).json()
        for number in range(30):
            ticket = {"project_id": project["id"], "author_id": LOCAL_USER, "title": str(number)}
            assert http.post("/api/tickets", json=ticket).status_code == 201
        server.kill()
    with running_server(home) as server:
        found: list[Any] = []
        while len(found) < 60:
            pages = [
                server.http.get("/api/invocations", params={"offset": offset}).json()
                for offset in (0, 100)
            ]
            found = [invocation for page in pages for invocation in page]

    pairs = {(invocation["event_id"], invocation["trigger_id"]) for invocation in found}
    assert (len(found), len(pairs)) == (60, 60)
