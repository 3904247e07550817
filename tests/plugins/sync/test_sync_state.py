"""How things stand, with what the plugins that are there know."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_sdk import Service
from kombuse_sdk.contracts import Permissions, Sessions
from kombuse_sdk.testing import Factory

NOTHING: dict[str, list[Any]] = {
    "pendingPermissions": [],
    "ticketAgentStatuses": [],
    "activeSessions": [],
}
PENDING: dict[str, Any] = {
    "permissionKey": "chat-1:r-1",
    "sessionId": "chat-1",
    "requestId": "r-1",
    "toolName": "Bash",
    "input": {"command": "ls"},
    "description": "ls",
}
STATUS: dict[str, Any] = {
    "ticketNumber": 3,
    "projectId": "p",
    "status": "running",
    "sessionCount": 1,
}
ACTIVE: dict[str, Any] = {
    "kombuseSessionId": "chat-1",
    "agentName": "Agent",
    "effectiveBackend": "mock",
    "startedAt": "2026-01-02T03:04:05.678Z",
}


class Known:
    """Sessions and permissions that are asked for; `projects` are those they were asked for."""

    def __init__(self) -> None:
        self.projects: list[str | None] = []

    def pending(self, tx: Any, project_id: str | None = None) -> list[Any]:
        self.projects.append(project_id)
        return [PENDING, PENDING | {"ticketNumber": 3, "projectId": "p"}]

    def ticket_statuses(self, tx: Any, project_id: str | None = None) -> list[Any]:
        self.projects.append(project_id)
        return [STATUS, STATUS | {"status": "error"}]

    def active(self, tx: Any, project_id: str | None = None) -> list[Any]:
        self.projects.append(project_id)
        return [ACTIVE, ACTIVE | {"ticketTitle": "t", "appliedModel": "m", "ticketNumber": 3}]


@pytest.fixture
def known() -> Known:
    return Known()


class WithFakes:
    """The plugins that know something are others'."""

    @pytest.fixture
    def kombuse_config(self) -> dict[str, Any]:
        return {"disabled_plugins": ["sessions", "permissions"]}

    @pytest.fixture
    def plugins_under_test(self, known: Known) -> list[object]:
        services = [Service(Sessions, known), Service(Permissions, known)]
        return [fake_plugin("knowing", services=lambda: services)]


class TestState(WithFakes):
    def test_it_has_all_that_is_known_and_no_empty_fields(self, client: TestClient) -> None:
        assert client.get("/api/sync/state").json() == {
            "pendingPermissions": [PENDING, PENDING | {"ticketNumber": 3, "projectId": "p"}],
            "ticketAgentStatuses": [STATUS, STATUS | {"status": "error"}],
            "activeSessions": [
                ACTIVE,
                ACTIVE | {"ticketTitle": "t", "appliedModel": "m", "ticketNumber": 3},
            ],
        }

    def test_it_is_of_all_projects_unless_one_is_named(
        self, client: TestClient, make: Factory, known: Known
    ) -> None:
        project = make.project(name="One")
        for query in ("", "?project_id=", f"?project_id={project['id']}", "?project_id=one"):
            assert client.get(f"/api/sync/state{query}").status_code == 200

        assert known.projects == [None] * 6 + [project["id"]] * 6

    def test_of_an_unknown_project_there_is_nothing(self, client: TestClient, known: Known) -> None:
        assert client.get("/api/sync/state?project_id=no-such").json() == NOTHING
        assert known.projects == []

    def test_it_is_never_taken_for_unchanged(self, client: TestClient) -> None:
        headers = client.get("/api/sync/state").headers

        assert headers["cache-control"] == "no-store"
        assert "etag" not in headers


class TestWithoutAgents:
    @pytest.fixture
    def kombuse_config(self) -> dict[str, Any]:
        return {"disabled_plugins": ["sessions", "permissions", "realtime"]}

    @pytest.mark.parametrize("query", ["", "?project_id=no-such", "?unknown=1"])
    def test_there_is_nothing(self, client: TestClient, query: str) -> None:
        answer = client.get(f"/api/sync/state{query}")

        assert (answer.status_code, answer.json()) == (200, NOTHING)
