"""tools/call: arguments, callers, the gate, answers and errors."""

import json
import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_plugins.mcp.calls import MAX_ANSWER
from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT, LOCAL_USER
from kombuse_sdk.errors import BadRequest, Conflict, Invalid, issue
from kombuse_sdk.events import Event
from kombuse_sdk.mcp import Caller, Tool, ToolCall, ToolDecision, ToolInput, ToolResult
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx
from kombuse_sdk.testing import CallTool
from kombuse_sdk.types import Kernel

CLOSED = (
    "Permission denied: Anonymous MCP write access is disabled."
    " Provide a kombuse_session_id with valid agent credentials."
)
LOCKED = sqlite3.OperationalError("database is locked")


class Arguments(ToolInput):
    number: int = 0
    text: str = ""
    kombuse_session_id: str | None = None


class Model(BaseModel):
    field: int


def echo(tx: ReadTx, caller: Caller, arguments: Arguments) -> Any:
    return {"number": arguments.number, "text": arguments.text}


def whoami(tx: ReadTx, caller: Caller, arguments: Arguments) -> Any:
    return {
        "profile_id": caller.profile_id,
        "actor_type": caller.actor_type,
        "is_anonymous": caller.is_anonymous,
        "session_id": caller.session_id,
    }


async def visit(kernel: Kernel, caller: Caller, arguments: Arguments) -> Any:
    return {"port": kernel.config.port, "caller": caller.profile_id}


def note(tx: WriteTx, caller: Caller, arguments: Arguments) -> Any:
    event = Event(event_type="noted", actor_type=caller.actor_type, actor_id=caller.profile_id)
    event_id = tx.emit(event)
    if arguments.text:
        raise BadRequest(arguments.text)
    return {"event_id": event_id}


def nested(tx: ReadTx, caller: Caller, arguments: Arguments) -> Any:
    row = tx.one("SELECT 1 AS one")
    return {"json": JsonText(b'{"a":[1]}'), "row": row, "model": Model(field=2), "list": [(3,)]}


def long(tx: ReadTx, caller: Caller, arguments: Arguments) -> Any:
    return {"text": "x" * arguments.number}


def returning(value: Any) -> Callable[..., Any]:
    return lambda tx, caller, arguments: value


def raising(error: Exception) -> Callable[..., Any]:
    def run(tx: ReadTx, caller: Caller, arguments: Arguments) -> Any:
        raise error

    return run


def tool(name: str, run: Callable[..., Any], **values: Any) -> Tool:
    defaults: dict[str, Any] = {
        "title": name,
        "description": name,
        "input": Arguments,
        "output": dict[str, Any],
    }
    return Tool(name=name, run=run, **(defaults | values))


TOOLS = [
    tool("echo", echo),
    tool("whoami", whoami),
    tool("visit", visit),
    tool("visit_and_change", visit, is_write=True),
    tool("note", note, is_write=True),
    tool("nested", nested),
    tool("long", long),
    tool("json_text", returning(JsonText(b'{"b":1,"a":"\xc3\xa4"}'))),
    tool("compact", returning(ToolResult(data={"a": [1]}, compact=True))),
    tool("list", returning([1]), output=list[int]),
    tool("liar", returning([1])),
    tool("infinite", returning({"a": float("inf")})),
    tool("conflict", raising(Conflict("Taken", ticket={"id": 1}))),
    tool("invalid", raising(Invalid(issue("custom", ["config", "x"], "Wrong")))),
    tool("crash", raising(RuntimeError("secret of the house"))),
    tool("busy", raising(LOCKED)),
]


@pytest.fixture
def decisions() -> list[ToolCall]:
    return []


@pytest.fixture
def plugins_under_test(decisions: list[ToolCall]) -> list[object]:
    def decide(tx: ReadTx, call: ToolCall) -> ToolDecision | None:
        decisions.append(call)
        if call.session_id not in ("trusted", "distrusted"):
            return None
        caller = Caller(
            profile_id="robot",
            actor_type="agent",
            is_anonymous=False,
            session_id=call.session_id,
        )
        if call.session_id == "trusted":
            return ToolDecision(behaviour="allow", caller=caller)
        return ToolDecision(behaviour="deny", caller=caller, reason="not today")

    return [fake_plugin("fake", mcp_tools=lambda: TOOLS, tool_decision=decide)]


def allow_anonymous_writes(client: TestClient, value: str) -> None:
    key = "mcp.anonymous_write_access"
    body = {"profile_id": LOCAL_USER, "setting_key": key, "setting_value": value}
    assert client.put("/api/profile-settings", json=body).status_code == 200


def noted(kernel: Kernel) -> list[Any]:
    with kernel.db.read() as tx:
        return tx.values("SELECT actor_id FROM events WHERE event_type = 'noted'")


def test_the_answer_is_the_value_as_indented_text_and_as_an_object(call_tool: CallTool) -> None:
    answer = call_tool("json_text")

    assert answer.text == '{\n  "b": 1,\n  "a": "ä"\n}'
    assert answer.structured == {"b": 1, "a": "ä"}
    assert not answer.is_error


def test_a_compact_answer_is_not_indented(call_tool: CallTool) -> None:
    assert call_tool("compact").text == '{"a":[1]}'


def test_json_text_models_and_rows_may_be_nested(call_tool: CallTool) -> None:
    answer = call_tool("nested")

    expected = {"json": {"a": [1]}, "row": {"one": 1}, "model": {"field": 2}, "list": [[3]]}
    assert answer.data == answer.structured == expected


def test_an_answer_that_is_no_object_is_text_alone(call_tool: CallTool) -> None:
    answer = call_tool("list")

    assert (answer.data, answer.structured) == ([1], None)


def test_a_tool_without_an_object_where_it_promised_one_fails(call_tool: CallTool) -> None:
    assert call_tool("liar").text == '{"error":"Internal error"}'


def test_infinity_is_null_as_in_json(call_tool: CallTool) -> None:
    assert call_tool("infinite").data == {"a": None}


@pytest.mark.parametrize("params", [{}, {"arguments": None}, {"arguments": {}}])
def test_arguments_may_be_left_out(client: TestClient, params: dict[str, Any]) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}

    answer = client.post("/mcp", json=message | {"params": {"name": "echo"} | params})

    assert answer.json()["result"]["structuredContent"] == {"number": 0, "text": ""}


@pytest.mark.parametrize("given", [5, "5", 5.0])
def test_a_number_may_be_given_as_text(call_tool: CallTool, given: Any) -> None:
    assert call_tool("echo", number=given).data["number"] == 5


def test_unknown_arguments_are_dropped(call_tool: CallTool) -> None:
    assert not call_tool("echo", nonsense=1).is_error


def test_wrong_arguments_are_listed_in_the_words_of_the_protocol(call_tool: CallTool) -> None:
    answer = call_tool("echo", number=2.5, text=7)

    start = "MCP error -32602: Input validation error: Invalid arguments for tool echo: "
    assert answer.is_error
    assert answer.text.startswith(start)
    issues = json.loads(answer.text.removeprefix(start))
    assert [found["path"] for found in issues] == [["number"], ["text"]]


def test_an_unknown_tool_is_an_error_answer(call_tool: CallTool) -> None:
    answer = call_tool("no_such_tool")

    assert answer.is_error
    assert answer.text == "MCP error -32602: Tool no_such_tool not found"


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("conflict", {"error": "Taken", "ticket": {"id": 1}}),
        (
            "invalid",
            {
                "error": "Invalid input",
                "issues": [{"code": "custom", "path": ["config", "x"], "message": "Wrong"}],
            },
        ),
        ("crash", {"error": "Internal error"}),
        ("busy", {"error": "The database is busy, try again"}),
    ],
)
def test_errors_are_compact_json(call_tool: CallTool, name: str, body: Any) -> None:
    answer = call_tool(name)

    assert answer.is_error
    assert answer.text == json.dumps(body, separators=(",", ":"))
    assert answer.structured is None


def test_the_cause_of_a_crash_is_logged(
    call_tool: CallTool, caplog: pytest.LogCaptureFixture
) -> None:
    call_tool("crash")

    assert "secret of the house" in caplog.text
    assert "MCP tool crash failed" in caplog.text


def test_an_answer_too_large_asks_for_less(call_tool: CallTool) -> None:
    assert not call_tool("long", number=MAX_ANSWER - 20).is_error

    answer = call_tool("long", number=MAX_ANSWER)

    assert answer.is_error
    assert "too large" in answer.data["error"]
    assert "lower limit" in answer.data["error"]


def test_without_a_session_the_caller_is_the_anonymous_agent(call_tool: CallTool) -> None:
    assert call_tool("whoami").data == {
        "profile_id": ANONYMOUS_AGENT,
        "actor_type": "agent",
        "is_anonymous": True,
        "session_id": None,
    }


def test_an_unknown_session_is_anonymous_and_kept(call_tool: CallTool) -> None:
    caller = call_tool("whoami", kombuse_session_id="chat-unknown").data

    assert caller["is_anonymous"] is True
    assert caller["session_id"] == "chat-unknown"


def test_an_empty_session_is_none(call_tool: CallTool) -> None:
    assert call_tool("whoami", kombuse_session_id="").data["session_id"] is None


def test_a_plugin_may_know_the_caller(call_tool: CallTool) -> None:
    assert call_tool("whoami", kombuse_session_id="trusted").data["profile_id"] == "robot"


def test_a_plugin_is_told_the_checked_arguments_that_were_given(
    call_tool: CallTool, decisions: list[ToolCall]
) -> None:
    call_tool("note", number="5", kombuse_session_id="s")

    arguments = {"number": 5, "kombuse_session_id": "s"}
    assert decisions == [ToolCall(tool="note", is_write=True, session_id="s", arguments=arguments)]


@pytest.mark.parametrize("name", ["echo", "note", "visit"])
def test_a_plugin_may_refuse_any_call(call_tool: CallTool, name: str) -> None:
    answer = call_tool(name, kombuse_session_id="distrusted")

    assert answer.is_error
    assert answer.text == '{"error":"Permission denied: not today"}'


@pytest.mark.parametrize("name", ["note", "visit_and_change"])
def test_anonymous_writes_are_refused_by_default(
    call_tool: CallTool, kernel: Kernel, name: str
) -> None:
    answer = call_tool(name)

    assert answer.is_error
    assert answer.data == {"error": CLOSED}
    assert noted(kernel) == []


@pytest.mark.parametrize("value", ["yes", "denied", "true", "ALLOWED", ""])
def test_only_the_exact_word_opens_the_gate(
    client: TestClient, call_tool: CallTool, value: str
) -> None:
    allow_anonymous_writes(client, value)

    assert call_tool("note").data == {"error": CLOSED}


def test_the_gate_opens_and_closes_without_a_restart(
    client: TestClient, call_tool: CallTool, kernel: Kernel
) -> None:
    allow_anonymous_writes(client, "allowed")
    assert not call_tool("note").is_error
    assert not call_tool("visit_and_change").is_error

    allow_anonymous_writes(client, "denied")
    assert call_tool("note").is_error
    assert noted(kernel) == [ANONYMOUS_AGENT]


def test_the_gate_is_not_for_a_caller_that_a_plugin_knows(
    call_tool: CallTool, kernel: Kernel
) -> None:
    assert not call_tool("note", kombuse_session_id="trusted").is_error
    assert noted(kernel) == ["robot"]


def test_a_refused_argument_comes_before_the_gate(call_tool: CallTool) -> None:
    assert call_tool("note", number="x").text.startswith("MCP error -32602")


def test_a_write_that_fails_changes_nothing(call_tool: CallTool, kernel: Kernel) -> None:
    answer = call_tool("note", text="changed my mind", kombuse_session_id="trusted")

    assert answer.data == {"error": "changed my mind"}
    assert noted(kernel) == []


def test_a_coroutine_tool_gets_the_kernel(call_tool: CallTool, kernel: Kernel) -> None:
    assert call_tool("visit").data == {"port": kernel.config.port, "caller": ANONYMOUS_AGENT}
