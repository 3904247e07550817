"""What tools/list tells about the tools of all plugins."""

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, WithJsonSchema
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_sdk.mcp import Tool, ToolInput
from kombuse_sdk.types import Kernel

CORE = [
    "get_ticket",
    "get_ticket_comment",
    "add_comment",
    "create_ticket",
    "update_comment",
    "list_tickets",
    "search_tickets",
    "list_projects",
    "list_labels",
    "update_ticket",
    "query_db",
    "list_tables",
    "describe_table",
    "list_api_endpoints",
    "call_api",
    "list_agents",
    "create_agent",
    "update_agent",
]
MAX_TOKENS = 6_000


class Filters(ToolInput):
    authors: list[str] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


class Arguments(ToolInput):
    """Not for the model."""

    title: str = Field(description="What it is called")
    assignee: Annotated[str | None, WithJsonSchema({"type": ["string", "null"]})] = None
    status: Literal["open", "closed"] | None = Field(None, description="Its state")
    filters: Filters | None = None
    either: int | str | None = None


class Inner(BaseModel):
    deep: Literal["x"]


class Result(BaseModel):
    """Not for the model."""

    items: list[Inner]
    one: Inner | None
    kind: Literal["a", "b"]
    note: str | None = None
    extra: Any


def tool(name: str, **values: Any) -> Tool:
    defaults: dict[str, Any] = {
        "title": name,
        "description": name,
        "input": Arguments,
        "output": Result,
        "run": lambda tx, caller, arguments: {},
    }
    return Tool(name=name, **(defaults | values))


def plugin(name: str, *tools: Tool) -> object:
    return fake_plugin(name, mcp_tools=lambda: tools)


@pytest.fixture
def plugins_under_test() -> list[object]:
    return [
        plugin("late", tool("last", is_write=True, is_destructive=True, order=3000)),
        plugin("early", tool("first", order=1), tool("list", output=list[Result])),
        plugin("double", tool("first", title="Never seen")),
        plugin("broken", tool("broken", output=object())),
    ]


def list_tools(client: TestClient) -> Any:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    return client.post("/mcp", json=message).json()["result"]["tools"]


def described(client: TestClient, name: str) -> Any:
    (found,) = [tool for tool in list_tools(client) if tool["name"] == name]
    return found


def test_the_order_is_the_one_that_the_tools_ask_for(client: TestClient) -> None:
    names = [tool["name"] for tool in list_tools(client)]

    assert names[0] == "first"
    assert names[-1] == "last"
    assert [name for name in CORE if name in names] == [name for name in names if name in CORE]


def test_a_plugin_with_a_tool_that_exists_already_is_left_out(
    client: TestClient, kernel: Kernel
) -> None:
    assert described(client, "first")["title"] == "first"

    (status,) = [plugin for plugin in kernel.plugins if plugin.name == "double"]
    assert status.state == "failed"
    assert "first is offered by early already" in str(status.reason)


def test_a_tool_that_cannot_be_described_is_left_out_alone(client: TestClient) -> None:
    names = [tool["name"] for tool in list_tools(client)]

    assert "broken" not in names
    assert {"first", "last"} <= set(names)


def test_hints_tell_reading_from_writing(client: TestClient) -> None:
    assert described(client, "first")["annotations"] == {
        "readOnlyHint": True,
        "destructiveHint": False,
        "idempotentHint": True,
        "openWorldHint": False,
    }
    assert described(client, "last")["annotations"] == {
        "readOnlyHint": False,
        "destructiveHint": True,
        "idempotentHint": False,
        "openWorldHint": False,
    }


def test_the_input_schema_holds_nothing_that_a_model_does_not_need(client: TestClient) -> None:
    assert described(client, "first")["inputSchema"] == {
        "type": "object",
        "properties": {
            "title": {"type": "string", "description": "What it is called"},
            "assignee": {"type": ["string", "null"]},
            "status": {"type": "string", "enum": ["open", "closed"], "description": "Its state"},
            "filters": {
                "type": "object",
                "properties": {
                    "authors": {"type": "array", "items": {"type": "string"}},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                },
                "additionalProperties": False,
            },
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        },
        "required": ["title"],
        "additionalProperties": False,
    }


def test_a_tool_without_parameters_says_so(client: TestClient) -> None:
    schema = described(client, "list_tables")["inputSchema"]

    assert schema == {"type": "object", "properties": {}, "additionalProperties": False}


def test_the_output_schema_is_the_top_level_alone(client: TestClient) -> None:
    assert described(client, "first")["outputSchema"] == {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"type": "object"}},
            "one": {"type": ["null", "object"]},
            "kind": {"type": "string", "enum": ["a", "b"]},
            "note": {"type": ["null", "string"]},
            "extra": {},
        },
        "required": ["items", "one", "kind", "extra"],
    }


def test_an_answer_that_is_no_object_has_no_output_schema(client: TestClient) -> None:
    assert "outputSchema" not in described(client, "list")


def test_the_core_tools_leave_room_in_a_models_context(client: TestClient) -> None:
    tools = [tool for tool in list_tools(client) if tool["name"] in CORE]
    sizes = {tool["name"]: len(json.dumps(tool, separators=(",", ":"))) // 4 for tool in tools}
    print(f"tools/list: {sum(sizes.values())} tokens for {len(sizes)} tools: {sizes}")

    assert sum(sizes.values()) < MAX_TOKENS


def test_every_core_tool_is_documented(client: TestClient) -> None:
    for item in list_tools(client):
        if item["name"] in CORE:
            assert item["title"] and item["description"], item["name"]
            assert item["outputSchema"]["type"] == "object", item["name"]
