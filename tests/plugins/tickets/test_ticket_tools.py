"""Tickets over MCP."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT, LOCAL_USER
from kombuse_sdk.mcp import Caller, ToolCall, ToolDecision
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.testing import CallTool, Factory, ticket_path
from kombuse_sdk.types import Kernel

SESSION = "chat-1"


def admit(tx: ReadTx, call: ToolCall) -> ToolDecision:
    """Whoever names a session may do everything, as the anonymous agent."""
    caller = Caller(
        profile_id=ANONYMOUS_AGENT,
        actor_type="agent",
        is_anonymous=call.session_id is None,
        session_id=call.session_id,
        agent_type=call.session_id,
    )
    return ToolDecision(behaviour="allow", caller=caller)


@pytest.fixture
def plugins_under_test() -> list[object]:
    return [fake_plugin("gate", tool_decision=admit)]


def events(kernel: Kernel) -> list[tuple[Any, ...]]:
    sql = """
        SELECT event_type, actor_id, actor_type, kombuse_session_id, payload FROM events
        WHERE event_type GLOB 'ticket.*' ORDER BY id
    """
    with kernel.db.read() as tx:
        return [(*tuple(row)[:4], json.loads(row["payload"])) for row in tx.all(sql)]


def test_an_agent_creates_a_ticket_as_itself_with_triggers_off(
    call_tool: CallTool, kernel: Kernel, project: Any
) -> None:
    made = call_tool(
        "create_ticket",
        project_id=project["slug"],
        title="From an agent",
        body="text",
        kombuse_session_id=SESSION,
    )

    ticket = made.data
    assert not made.is_error
    assert (ticket["author"]["id"], ticket["project_id"]) == (ANONYMOUS_AGENT, project["id"])
    assert ticket["triggers_enabled"] is False and ticket["loop_protection_enabled"] is True
    assert ticket["labels"] == [] and ticket["assignee"] is None
    expected = ("ticket.created", ANONYMOUS_AGENT, "agent", SESSION, {"title": "From an agent"})
    assert events(kernel) == [expected]


def test_a_ticket_in_no_project_is_refused_in_words(call_tool: CallTool) -> None:
    answer = call_tool("create_ticket", project_id="nowhere", title="t")

    assert answer.is_error
    assert answer.data == {"error": "project_id does not reference an existing project"}


def test_the_list_is_by_update_and_filtered(
    call_tool: CallTool, make: Factory, project: Any, ann: str
) -> None:
    red, blue = make.label(project)["id"], make.label(project)["id"]
    one = make.ticket(project, label_ids=[red, blue], assignee_id=ann)["id"]
    two = make.ticket(project, status="blocked", priority=1, label_ids=[red])["id"]
    three = make.ticket(make.project(), priority=3)["id"]

    def listed(**arguments: Any) -> list[int]:
        data = call_tool("list_tickets", **arguments).data
        assert data["count"] == len(data["tickets"])
        return [ticket["id"] for ticket in data["tickets"]]

    assert listed() == [three, two, one]
    assert listed(project_id=project["slug"]) == [two, one]
    assert listed(project_id="unknown") == []
    assert listed(status="blocked") == [two]
    assert listed(assignee_id=ann) == listed(label_ids=[red, blue, red]) == [one]
    assert listed(sort_by="priority", sort_order="asc", limit=2) == [two, three]
    assert listed(sort_by="created_at", sort_order="asc", offset="1", limit="1") == [two]
    assert call_tool("list_tickets", limit=101).is_error


def test_a_search_shows_where_it_matched(call_tool: CallTool, make: Factory, project: Any) -> None:
    make.ticket(project, title="An apple")
    make.ticket(project, title="t", body="an apple", status="closed")

    def found(query: str, **arguments: Any) -> list[Any]:
        data = call_tool("search_tickets", query=query, **arguments).data
        return [(t["match_source"], t["match_context"]) for t in data["tickets"]]

    assert sorted(found("apple")) == [("body", "an «apple»"), ("title", "An «apple»")]
    assert found("apple", status="closed") == [("body", "an «apple»")]
    assert found("#1", project_id=project["slug"]) == [(None, None)]
    assert found("AND OR") == found('"') == found("pear") == []
    assert call_tool("search_tickets", query="a" * 201).is_error
    assert call_tool("search_tickets", query="").is_error


def test_an_update_is_one_event_for_the_fields_then_one_per_label(
    call_tool: CallTool, kernel: Kernel, make: Factory, project: Any, ann: str
) -> None:
    old, new = make.label(project)["id"], make.label(project)["id"]
    make.ticket(project, label_ids=[old])

    answer = call_tool(
        "update_ticket",
        project_id=project["slug"],
        ticket_number=1,
        assignee_id=ann,
        title="new",
        priority=4,
        status="closed",
        add_label_ids=[new, old],
        remove_label_ids=[old, 99],
        kombuse_session_id=SESSION,
    )

    ticket = answer.data["ticket"]
    assert (ticket["title"], ticket["status"], ticket["assignee"]["id"]) == ("new", "closed", ann)
    assert [label["id"] for label in answer.data["labels"]] == [new]
    assert answer.data["labels"] == ticket["labels"]
    payload = {
        "changes": ["title", "status", "priority", "assignee_id"],
        "status": "closed",
        "previous_status": "open",
        "priority": 4,
        "previous_priority": None,
        "assignee_id": ann,
        "previous_assignee_id": None,
        "milestone_id": None,
    }
    assert events(kernel)[1:] == [("ticket.closed", ANONYMOUS_AGENT, "agent", SESSION, payload)]
    sql = "SELECT event_type, actor_id, kombuse_session_id FROM events WHERE id > 2 ORDER BY id"
    with kernel.db.read() as tx:
        assert [tuple(row) for row in tx.all(sql)] == [
            ("label.added", ANONYMOUS_AGENT, SESSION),
            ("label.removed", ANONYMOUS_AGENT, SESSION),
        ]


def test_an_update_that_fails_changes_nothing(
    call_tool: CallTool, client: TestClient, make: Factory, project: Any
) -> None:
    ticket = make.ticket(project)
    foreign = make.label(make.project())["id"]
    call = {"project_id": project["id"], "ticket_number": 1, "title": "new"}

    for wrong in ({"add_label_ids": [foreign]}, {"add_label_ids": [99]}, {"assignee_id": "x"}):
        answer = call_tool("update_ticket", **call, **wrong)
        assert answer.is_error and isinstance(answer.data["error"], str)

    assert client.get(ticket_path(ticket)).json()["title"] == ticket["title"]


def test_an_assignee_is_taken_off_with_null(
    call_tool: CallTool, make: Factory, project: Any, ann: str
) -> None:
    make.ticket(project, assignee_id=ann)
    call = {"project_id": project["id"], "ticket_number": 1}

    assert call_tool("update_ticket", **call).data["ticket"]["assignee_id"] == ann
    assert (
        call_tool("update_ticket", **call, assignee_id=None).data["ticket"]["assignee_id"] is None
    )


@pytest.mark.parametrize("tool", ["get_ticket", "update_ticket"])
@pytest.mark.parametrize("project_id", ["nowhere", None])
def test_a_ticket_that_is_not_there(
    call_tool: CallTool, project: Any, tool: str, project_id: str | None
) -> None:
    where = project_id or project["id"]

    answer = call_tool(tool, project_id=where, ticket_number=7)

    assert answer.is_error
    assert answer.data == {"error": f"Ticket #7 not found in project {where}"}


@pytest.mark.parametrize("agent_type", ["triage", "orchestration", "coder", None])
def test_who_acts_on_tickets_alone_is_not_told_the_comments(
    call_tool: CallTool, make: Factory, project: Any, agent_type: str | None
) -> None:
    make.comment(make.ticket(project))
    call: dict[str, Any] = {"project_id": project["id"], "ticket_number": 1}
    call |= {"kombuse_session_id": agent_type} if agent_type else {}

    digest = call_tool("get_ticket", **call).data
    asked = call_tool("get_ticket", **call, config={"comments": True}).data

    assert ("comments" in digest) is (agent_type in ("coder", None))
    assert "comments" in asked
    assert digest["meta"]["caller_agent_type"] == agent_type
    assert asked["meta"]["defaults_applied"]["comments"] is False
    assert LOCAL_USER in digest["participants"]
