"""T7, T4: what agents may do by tools: every tool that writes, in every scope, on every target."""

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

from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import CallTool, Factory
from kombuse_sdk.types import Kernel

UNKNOWN_SESSION = "trigger-7d5f2a10-0000-4000-8000-000000000000"
SCOPES = ("invocation", "project", "global")
WRITES = (
    "add_comment",
    "create_ticket",
    "update_comment",
    "update_ticket",
    "create_agent",
    "update_agent",
)
Arguments = dict[str, Any]


@pytest.fixture
def sessions() -> FakeSessions:
    return FakeSessions()


@pytest.fixture
def plugins_under_test(sessions: FakeSessions) -> list[object]:
    return [sessions.plugin()]


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return dict(WITHOUT_SESSIONS)


class Office:
    """An agent at work on a ticket, and things near and far that it might change."""

    def __init__(
        self, kernel: Kernel, client: TestClient, make: Factory, sessions: FakeSessions
    ) -> None:
        runs = Runs(kernel, client)
        self.client = client
        self.agent = make_agent(client, "Worker")
        trigger = make_trigger(client, self.agent, "ticket.created")
        self.project, self.far_project = make.project(), make.project()
        self.ticket = make.ticket(self.project)
        runs.dispatch()
        _, self.session_id = runs.start()
        sessions.running.add(self.session_id)
        client.delete(f"/api/triggers/{trigger['id']}")
        self.near, self.far = make.ticket(self.project), make.ticket(self.far_project)
        self.comments = {
            ticket["id"]: make.comment(ticket, author_id=self.agent["id"])["id"]
            for ticket in (self.ticket, self.near, self.far)
        }
        self.agents = {
            project["id"]: make_agent(client, "Other", project_id=project["id"])["id"]
            for project in (self.project, self.far_project)
        }

    def allow(self, scope: str) -> None:
        permission = {"type": "resource", "resource": "*", "actions": ["*"], "scope": scope}
        path = f"/api/agents/{self.agent['id']}"
        assert self.client.patch(path, json={"permissions": [permission]}).status_code == 200


@pytest.fixture
def office(kernel: Kernel, client: TestClient, make: Factory, sessions: FakeSessions) -> Office:
    return Office(kernel, client, make, sessions)


def ticket_calls(office: Office, ticket: Any) -> dict[str, Arguments]:
    where = {"project_id": ticket["project_id"], "ticket_number": ticket["ticket_number"]}
    return {
        "add_comment": {**where, "body": "x"},
        "update_comment": {"comment_id": office.comments[ticket["id"]], "body": "y"},
        "update_ticket": {**where, "title": "new", "status": "blocked"},
    }


def project_calls(office: Office, project: Any) -> dict[str, Arguments]:
    new_agent = {"name": "New", "description": "d", "system_prompt": "s"}
    return {
        "create_ticket": {"project_id": project["id"], "title": "x"},
        "create_agent": {**new_agent, "project_id": project["id"]},
        "update_agent": {"agent_id": office.agents[project["id"]], "is_enabled": False},
    }


TARGETS: dict[str, tuple[str, Callable[[Office], dict[str, Arguments]]]] = {
    "its own ticket": ("invocation", lambda office: ticket_calls(office, office.ticket)),
    "another ticket of the project": ("project", lambda office: ticket_calls(office, office.near)),
    "a ticket of another project": ("global", lambda office: ticket_calls(office, office.far)),
    "its project": ("project", lambda office: project_calls(office, office.project)),
    "another project": ("global", lambda office: project_calls(office, office.far_project)),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("scope", [None, *SCOPES])
def test_a_scope_reaches_as_far_as_it_says(
    office: Office, call_tool: CallTool, target: str, scope: str | None
) -> None:
    narrowest, calls = TARGETS[target]
    if scope is not None:
        office.allow(scope)
    is_allowed = scope is not None and SCOPES.index(scope) >= SCOPES.index(narrowest)

    for tool, arguments in calls(office).items():
        answer = call_tool(tool, kombuse_session_id=office.session_id, **arguments)
        assert answer.is_error is not is_allowed, f"{tool}: {answer.text}"
        assert is_allowed or "Permission denied: No matching permission found" in answer.text


def test_every_known_tool_that_writes_is_in_the_matrix(office: Office) -> None:
    covered = {tool for _, calls in TARGETS.values() for tool in calls(office)}

    assert covered == set(WRITES)


@pytest.mark.parametrize("tool", WRITES)
@pytest.mark.parametrize("session_id", [None, "", "chat-x", UNKNOWN_SESSION])
def test_whoever_is_no_agent_at_work_writes_nothing(
    office: Office, call_tool: CallTool, tool: str, session_id: str | None
) -> None:
    office.allow("global")
    calls = ticket_calls(office, office.ticket) | project_calls(office, office.project)

    answer = call_tool(tool, **calls[tool], kombuse_session_id=session_id)

    assert answer.is_error
    assert "Anonymous MCP write access is disabled" in answer.text


def test_what_a_session_may_ends_with_its_turn(
    office: Office, call_tool: CallTool, sessions: FakeSessions
) -> None:
    office.allow("global")
    calls = ticket_calls(office, office.ticket) | project_calls(office, office.project)
    sessions.running.clear()

    for tool, arguments in calls.items():
        assert call_tool(tool, kombuse_session_id=office.session_id, **arguments).is_error


def test_agents_have_no_tools_to_approve_and_to_configure(client: TestClient) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    names = [t["name"] for t in client.post("/mcp", json=message).json()["result"]["tools"]]

    forbidden = ("approv", "permission", "setting", "plugin", "source", "allow")
    assert not [name for name in names if any(word in name for word in forbidden)]


def test_a_setting_of_the_person_is_out_of_reach_of_an_agent(
    office: Office, call_tool: CallTool
) -> None:
    office.allow("global")
    path = f"/api/profiles/{LOCAL_USER}/settings/mcp.anonymous_write_access"

    call_tool("call_api", path=path)

    assert office.client.get(path).json() is None
