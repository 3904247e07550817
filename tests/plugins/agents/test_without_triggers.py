"""Tickets and agents where the plugins that start agents are disabled."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import make_agent

from kombuse_sdk.testing import Factory, ticket_path


@pytest.fixture(params=["triggers", "agents"])
def missing(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kombuse_config(missing: str) -> dict[str, Any]:
    return {"disabled_plugins": ["sessions", missing]}


def test_tickets_and_comments_do_without_agents(client: TestClient, make: Factory) -> None:
    ticket = make.ticket(make.project())

    make.comment(ticket, body="@[x](user-1) #1")

    assert client.get(ticket_path(ticket)).json()["loop_protection_tripped"] is False


@pytest.mark.parametrize("missing", ["triggers"])
def test_agents_do_without_triggers(client: TestClient, tmp_path: Path, missing: str) -> None:
    agent = make_agent(client)

    done = client.post("/api/agents/export", json={"directory": str(tmp_path)}).json()

    assert done["files"] == ["helper.md"]
    assert client.get(f"/api/agents/{agent['id']}/triggers").status_code == 404
