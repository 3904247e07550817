"""Tickets and agents where the plugins that start agents are disabled."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import make_agent
from tests.package_sections import Kit, agent_file

from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


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


@pytest.mark.parametrize("missing", ["triggers"])
def test_a_package_brings_its_agents_alone(
    client: TestClient, kernel: Kernel, make: Factory, missing: str
) -> None:
    kit = Kit(kernel, make.project()["id"])
    text = "triggers: [{event_type: ticket.created}]\n"

    done = kit.install({"agents/a.md": agent_file(text)}, [{"name": "Bug"}])
    kit.install({"agents/a.md": agent_file()}, [{"name": "Bug"}])
    kit.switch(False)
    kit.switch(True)

    assert done.counters == {"labels_created": 1, "agents_created": 1}
    assert done.warnings == ["The triggers of the agents were left out: triggers are off"]
    assert list(kit.export().files) == ["agents/a.md"]
    kit.uninstall("delete")
    assert client.get("/api/agents").json() == []


@pytest.mark.parametrize("missing", ["agents"])
def test_labels_of_a_package_do_without_agents(
    client: TestClient, kernel: Kernel, make: Factory, missing: str
) -> None:
    project = make.project()
    kit = Kit(kernel, project["id"])
    kit.install({"agents/a.md": agent_file()}, [{"name": "Bug"}])
    make.label(project, name="bug")

    kit.uninstall()

    names = [label["name"] for label in client.get(f"/api/projects/{project['id']}/labels").json()]
    assert names == ["bug"]
