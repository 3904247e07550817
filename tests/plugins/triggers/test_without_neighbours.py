"""Agents and triggers where plugins that they could do without are disabled."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import Runs, make_agent, make_trigger

from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

MISSING = ("comments", "events", "labels", "mcp", "settings")


@pytest.fixture(params=MISSING)
def missing(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def kombuse_config(missing: str) -> dict[str, Any]:
    return {"disabled_plugins": ["sessions", missing]}


def test_an_agent_still_runs_and_loops_still_end(
    kernel: Kernel, client: TestClient, make: Factory, runs: Runs, missing: str
) -> None:
    assert missing not in {plugin.name for plugin in kernel.plugins if plugin.state == "loaded"}
    agent = make_agent(client)
    make_trigger(client, agent, "ticket.created")
    make_trigger(client, agent, "agent.completed")
    project = make.project()
    ticket = make.ticket(project)

    assert runs.run_all() == 15

    assert client.get(ticket_path(ticket)).json()["loop_protection_tripped"] is True
    smart = client.get(f"/api/projects/{project['id']}/smart-label-ids")
    assert smart.json() == {"label_ids": []}
