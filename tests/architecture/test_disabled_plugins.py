"""The server serves without any single plugin that is not essential."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.architecture.test_imports import GROUPS

from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

ESSENTIAL = {"profiles", "projects", "tickets"}


@pytest.fixture
def kombuse_config(disabled: str) -> dict[str, Any]:
    return {"disabled_plugins": [disabled]}


@pytest.mark.parametrize("disabled", sorted(set(GROUPS) - ESSENTIAL))
def test_the_ticket_workflow_needs_no_other_plugin(
    disabled: str, kernel: Kernel, client: TestClient, make: Factory
) -> None:
    states = {status.name: status for status in kernel.plugins}
    assert states[disabled].state == "disabled"
    left_out = {name for name, status in states.items() if status.state != "loaded"}
    for name in left_out - {disabled}:
        assert left_out & set(states[name].requires), f"{name}: {states[name].reason}"

    project = make.project()
    ticket = make.ticket(project, title="hello world", body="@Default User")

    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/openapi.json").status_code == 200
    queries = [
        {},
        {"project_id": project["id"], "viewer_id": "user-1", "sort_by": "updated_at"},
        {"search": "hello", "project_id": project["id"]},
    ]
    for query in queries:
        listed = client.get("/api/tickets", params=query)
        assert [found["id"] for found in listed.json()] == [ticket["id"]]
    path = ticket_path(ticket)
    assert client.get(path).json()["title"] == "hello world"
    assert client.patch(path, json={"status": "closed"}).status_code == 200
    claimed = client.post(f"{path}/claim", json={"claimer_id": "user-1"})
    assert claimed.status_code in (200, 409)
    assert client.get("/api/tickets/counts", params={"project_id": project["id"]}).is_success
    assert client.delete(path).status_code == 204
    assert client.delete(f"/api/projects/{project['id']}").status_code == 204


@pytest.mark.parametrize("disabled", sorted(ESSENTIAL))
def test_without_an_essential_plugin_the_server_still_starts(
    disabled: str, kernel: Kernel, client: TestClient
) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/openapi.json").status_code == 200
    left_out = {status.name for status in kernel.plugins if status.state != "loaded"}
    assert disabled in left_out
