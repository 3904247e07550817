"""Agents as callers of tools, and the tools about agents."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import FakeSessions, Runs, make_agent, make_trigger
from tests.fakes import fake_plugin

from kombuse_sdk.contracts import Invocations
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.mcp import Caller, Tool, ToolInput
from kombuse_sdk.storage import WriteTx
from kombuse_sdk.testing import CallTool, Factory, ToolAnswer, ticket_path
from kombuse_sdk.types import Kernel

EVERYTHING = {"type": "resource", "resource": "*", "actions": ["*"], "scope": "global"}
ANONYMOUS = (
    "Permission denied: Anonymous MCP write access is disabled."
    " Provide a kombuse_session_id with valid agent credentials."
)
PROMPT = {"description": "d", "system_prompt": "s"}


class Arguments(ToolInput):
    kombuse_session_id: str | None = None


def act(tx: WriteTx, caller: Caller, arguments: Arguments) -> dict[str, Any]:
    return {"caller": caller.profile_id, "type": caller.agent_type}


ACT = Tool(
    name="execute_js",
    title="Act",
    description="Acts",
    input=Arguments,
    output=dict[str, Any],
    run=act,
    is_write=True,
)


@pytest.fixture
def plugins_under_test(sessions: FakeSessions) -> list[object]:
    return [sessions.plugin(), fake_plugin("desk", mcp_tools=lambda: [ACT])]


class Desk:
    """A ticket on which an agent runs, in a session that is live."""

    def __init__(
        self, client: TestClient, make: Factory, runs: Runs, sessions: FakeSessions, call: CallTool
    ) -> None:
        self._call = call
        self.sessions = sessions
        self.client = client
        self.agent = make_agent(client, "Worker", permissions=[EVERYTHING])
        make_trigger(client, self.agent, "ticket.created")
        self.project = make.project()
        self.ticket = make.ticket(self.project)
        runs.dispatch()
        self.invocation, self.session_id = runs.start()
        sessions.running.add(self.session_id)
        client.delete(f"/api/triggers/{self.invocation.trigger_id}")

    def allow(self, *permissions: Any, **config: Any) -> None:
        body = {"permissions": list(permissions), "config": config}
        answer = self.client.patch(f"/api/agents/{self.agent['id']}", json=body)
        assert answer.status_code == 200, answer.text

    def call(self, tool: str, **arguments: Any) -> ToolAnswer:
        return self._call(tool, kombuse_session_id=self.session_id, **arguments)

    def comment(self, ticket: Any = None) -> ToolAnswer:
        ticket = ticket or self.ticket
        return self.call(
            "add_comment",
            project_id=ticket["project_id"],
            ticket_number=ticket["ticket_number"],
            body="done",
        )


@pytest.fixture
def desk(
    client: TestClient, make: Factory, runs: Runs, sessions: FakeSessions, call_tool: CallTool
) -> Desk:
    return Desk(client, make, runs, sessions, call_tool)


def denial(answer: ToolAnswer) -> str:
    assert answer.is_error, answer.text
    return str(answer.data["error"])


def test_an_agent_at_work_is_the_author_of_what_it_writes(desk: Desk) -> None:
    made = desk.comment()

    assert made.data["author_id"] == desk.agent["id"]
    assert made.data["kombuse_session_id"] == desk.session_id


def test_what_an_agent_writes_starts_no_agents_by_itself(
    desk: Desk, client: TestClient, runs: Runs
) -> None:
    make_trigger(client, make_agent(client, "Other"), "comment.added")

    desk.comment()
    runs.dispatch()

    assert len(runs.all()) == 1


def test_an_ended_session_has_no_rights(desk: Desk) -> None:
    desk.sessions.running.clear()

    assert denial(desk.comment()) == ANONYMOUS


@pytest.mark.parametrize("end", ["complete", "fail"])
def test_a_finished_invocation_has_no_rights(desk: Desk, runs: Runs, end: str) -> None:
    getattr(runs, end)(desk.session_id)

    assert denial(desk.comment()) == ANONYMOUS


def test_a_disabled_agent_has_no_rights(desk: Desk, client: TestClient) -> None:
    client.patch(f"/api/agents/{desk.agent['id']}", json={"is_enabled": False})

    assert denial(desk.comment()) == ANONYMOUS


def test_a_deleted_agent_has_no_rights(desk: Desk, client: TestClient) -> None:
    client.delete(f"/api/agents/{desk.agent['id']}")

    assert denial(desk.comment()) == ANONYMOUS


def test_a_made_up_session_has_no_rights(desk: Desk) -> None:
    desk.session_id = "trigger-00000000-0000-4000-8000-000000000000"
    desk.sessions.running.add(desk.session_id)

    assert denial(desk.comment()) == ANONYMOUS


def test_a_session_goes_with_its_newest_invocation(
    desk: Desk, kernel: Kernel, client: TestClient, runs: Runs
) -> None:
    runs.complete(desk.session_id)
    other = make_agent(client, "Other", permissions=[EVERYTHING])
    with kernel.db.write() as tx:
        tx.services.get(Invocations).begin_chat(tx, other["id"], desk.session_id)

    assert desk.comment().data["author_id"] == other["id"]


def test_without_a_permission_the_call_is_denied_and_nothing_is_written(
    desk: Desk, client: TestClient
) -> None:
    desk.allow()

    assert denial(desk.comment()) == (
        "Permission denied: No matching permission found for resource: comment"
    )
    assert client.get(f"{ticket_path(desk.ticket)}/comments").json() == []


def test_under_invocation_scope_an_agent_works_on_its_own_ticket_alone(
    desk: Desk, make: Factory
) -> None:
    other = make.ticket(desk.project)
    label = make.label(desk.project)["id"]
    scoped = {"type": "resource", "resource": "*", "actions": ["*"], "scope": "invocation"}
    desk.allow(scoped)

    def update(ticket: Any, **changes: Any) -> bool:
        where = {"project_id": ticket["project_id"], "ticket_number": ticket["ticket_number"]}
        return not desk.call("update_ticket", **where, **changes).is_error

    for ticket, is_own in ((desk.ticket, True), (other, False)):
        assert desk.comment(ticket).is_error is not is_own
        assert update(ticket, status="blocked") is is_own
        assert update(ticket, add_label_ids=[label]) is is_own
        assert update(ticket, remove_label_ids=[label]) is is_own
        assert update(ticket, title="new") is is_own
    assert desk.call("create_ticket", project_id=desk.project["id"], title="x").is_error


@pytest.mark.parametrize(
    ("changes", "resource"),
    [
        ({"status": "closed"}, "ticket.status"),
        ({"add_label_ids": [1]}, "ticket.labels"),
        ({"remove_label_ids": [1]}, "ticket.labels"),
        ({"title": "new"}, "ticket"),
        ({"body": "new"}, "ticket"),
        ({"priority": 1}, "ticket"),
        ({"assignee_id": None}, "ticket"),
    ],
)
def test_each_part_of_a_ticket_wants_its_own_permission(
    desk: Desk, changes: Any, resource: str
) -> None:
    others = {"ticket", "ticket.status", "ticket.labels"} - {resource}
    desk.allow(*({**EVERYTHING, "resource": name} for name in others))

    answer = desk.call("update_ticket", project_id=desk.project["slug"], ticket_number=1, **changes)

    assert denial(answer) == (
        f"Permission denied: No matching permission found for resource: {resource}"
    )


def test_only_own_comments_can_be_edited(desk: Desk, make: Factory) -> None:
    own = desk.comment().data["id"]
    foreign = make.comment(desk.ticket)["id"]

    assert desk.call("update_comment", comment_id=own, body="better").data["body"] == "better"
    assert denial(desk.call("update_comment", comment_id=foreign, body="x")) == (
        "Permission denied: Can only update own comments"
    )


def test_what_does_not_exist_is_said_before_permissions(desk: Desk) -> None:
    desk.allow()

    missing = desk.call("update_comment", comment_id=999, body="x")

    assert denial(missing) == "Comment 999 not found"


def test_a_tool_of_another_plugin_wants_a_tool_permission_or_the_preset(desk: Desk) -> None:
    desk.allow(EVERYTHING, type="coder")
    assert denial(desk.call("execute_js")) == (
        "Permission denied: No matching permission found for tool: mcp__kombuse__execute_js"
    )

    desk.allow(
        {"type": "tool", "tool": "mcp__kombuse__execute_*", "scope": "project"}, type="coder"
    )
    assert desk.call("execute_js").data == {"caller": desk.agent["id"], "type": "coder"}

    desk.allow()
    assert desk.call("execute_js").data == {"caller": desk.agent["id"], "type": None}


def test_agents_are_listed_with_their_names(
    client: TestClient, make: Factory, call_tool: CallTool
) -> None:
    project = make.project()
    make_agent(client, "Here", project_id=project["id"])
    make_agent(client, "Off", is_enabled=False)
    make_agent(client, "Elsewhere", project_id=make.project()["id"])

    listed = call_tool("list_agents", project_id=project["slug"], is_enabled=True).data
    everything = call_tool("list_agents").data

    assert listed["count"] == 1
    (agent,) = listed["agents"]
    assert (agent["name"], agent["description"]) == ("Here", "about Here")
    assert "resolved_preset" not in agent
    assert [agent["name"] for agent in everything["agents"]] == ["Elsewhere", "Off", "Here"]


def test_an_agent_may_create_agents_that_may_no_more_than_itself(
    desk: Desk, client: TestClient
) -> None:
    create = {**EVERYTHING, "resource": "agent"}
    comment = {**EVERYTHING, "resource": "comment", "actions": ["create"]}
    desk.allow(create, comment)

    made = desk.call("create_agent", name="Child", **PROMPT, permissions=[comment])
    assert made.data["permissions"] == [comment]
    assert made.data["slug"] == "child"

    for more in (
        {"permissions": [EVERYTHING]},
        {"permissions": [{**comment, "actions": ["create", "update"]}]},
        {"permissions": [{"type": "tool", "tool": "Bash", "scope": "invocation"}]},
        {"config": {"type": "coder"}},
        {"config": {"auto_approved_tools_override": ["Bash"]}},
        {"config": {"auto_approved_bash_commands_override": ["rm"]}},
    ):
        refused = desk.call("create_agent", name="Bad", **PROMPT, **more)
        assert denial(refused).startswith("Permission denied: Can only grant permissions it holds")
    assert client.get("/api/agents/by-slug/bad").status_code == 404


def test_an_agent_that_may_not_invoke_others_creates_none_that_may(desk: Desk) -> None:
    desk.allow(EVERYTHING, can_invoke_agents=False)

    assert desk.call("create_agent", name="A", **PROMPT).is_error
    made = desk.call("create_agent", name="A", **PROMPT, config={"can_invoke_agents": False})
    assert not made.is_error


def test_project_scope_covers_agents_of_the_project_alone(desk: Desk, make: Factory) -> None:
    scoped = {**EVERYTHING, "resource": "agent", "scope": "project"}
    desk.allow(scoped)
    other = make.project()["id"]

    def created(**where: Any) -> bool:
        body = {"name": "Child", "permissions": [scoped], **PROMPT, **where}
        return not desk.call("create_agent", **body).is_error

    assert not created()
    assert not created(project_id=other)
    assert created(project_id=desk.project["slug"])


def test_an_agent_changes_neither_itself_nor_a_more_powerful_one(
    desk: Desk, client: TestClient
) -> None:
    manage = {**EVERYTHING, "resource": "agent"}
    desk.allow(manage)
    weaker = make_agent(client, "Weaker")["id"]
    stronger = make_agent(client, "Stronger", permissions=[EVERYTHING])["id"]

    def prompt(agent_id: str) -> ToolAnswer:
        return desk.call("update_agent", agent_id=agent_id, system_prompt="Obey.")

    assert prompt(weaker).data["system_prompt"] == "Obey."
    assert denial(prompt(desk.agent["id"])) == (
        "Permission denied: Agents cannot change themselves"
    )
    assert denial(prompt(stronger)) == "Permission denied: Can only grant permissions it holds"
    assert denial(prompt("nobody")) == "Agent nobody not found"


def test_arguments_about_agents_are_checked_as_by_rest(call_tool: CallTool) -> None:
    for more in (
        {"config": {"max_tokens": 0}},
        {"permissions": [{"type": "robot"}]},
        {"id": "x"},
        {"slug": "Not Kebab"},
    ):
        answer = call_tool("create_agent", name="A", **PROMPT, **more)
        assert answer.text.startswith("MCP error -32602: Input validation error")


def test_anonymous_callers_may_manage_agents_only_if_a_person_allows_it(
    client: TestClient, call_tool: CallTool
) -> None:
    assert denial(call_tool("create_agent", name="A", **PROMPT)) == ANONYMOUS

    body = {
        "profile_id": LOCAL_USER,
        "setting_key": "mcp.anonymous_write_access",
        "setting_value": "allowed",
    }
    client.put("/api/profile-settings", json=body)
    config = {"x": {"kept": 1}, "temperature": 0.5}
    made = call_tool("create_agent", name="A", **PROMPT, config=config).data
    changed = call_tool("update_agent", agent_id=made["id"], is_enabled=False, slug="x").data

    assert made["config"] == config
    assert changed == {**made, "is_enabled": False, "updated_at": changed["updated_at"]}


def test_what_tools_publish_about_agents_is_short(client: TestClient) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    tools = client.post("/mcp", json=body).json()["result"]["tools"]

    named = {tool["name"]: tool for tool in tools}
    assert [name for name in named if name.endswith("agent") or name == "list_agents"] == [
        "list_agents",
        "create_agent",
        "update_agent",
    ]
    permissions = named["create_agent"]["inputSchema"]["properties"]["permissions"]
    assert permissions["items"] == {"type": "object"}
