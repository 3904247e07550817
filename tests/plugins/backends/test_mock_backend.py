"""The mock backend does what its script says."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.agent_runs import Turn, allow, deny, opened, take_turn, when

from kombuse_plugins.backends.mock import MockBackend
from kombuse_sdk.agents import BackendFailed, ResumeFailed, Usage

ASK = {"permission_request": "Bash", "input": {"command": "ls"}, "result": "a file"}


def played(tmp_path: Path, *steps: dict[str, Any], **options: Any) -> tuple[Turn, list[Any]]:
    async def scenario() -> tuple[Turn, list[Any]]:
        async with opened(MockBackend(), tmp_path, **options) as (run, asked):
            return await take_turn(run, f"Please mock: {json.dumps(steps)} thank you"), asked

    return asyncio.run(scenario())


def test_without_a_script_it_says_what_it_was_told(tmp_path: Path) -> None:
    async def scenario() -> Turn:
        async with opened(MockBackend(), tmp_path) as (run, _):
            assert run.backend_session_id is None and run.pid is None
            return await take_turn(run, "Hello")

    turn = asyncio.run(scenario())

    assert turn.said == 'Processing: "Hello"'
    assert turn.end is not None and turn.end.success
    assert turn.end.reason == "mock_complete" and not turn.end.is_alive


def test_steps_are_done_in_order(tmp_path: Path) -> None:
    turn, _ = played(
        tmp_path,
        {"message": "one"},
        {"thinking": "hm"},
        {"tool_use": "Read", "input": {"file_path": "/a"}, "result": "text"},
        {"usage": {"input_tokens": 3, "cost_usd": 0.5, "unknown": 1}},
    )

    assert [event.type for event in turn.events] == ["message", "raw", "tool_use", "tool_result"]
    assert turn.end is not None and turn.end.usage == Usage(input_tokens=3, cost_usd=0.5)


def test_an_allowed_tool_gives_its_result(tmp_path: Path) -> None:
    turn, (request,) = played(tmp_path, ASK)

    (use,), (result,) = turn.of("tool_use"), turn.of("tool_result")
    assert use["id"] == request.request_id == result["toolUseId"]
    assert (request.tool_name, request.input) == ("Bash", {"command": "ls"})
    assert result["content"] == "a file" and "isError" not in result


def test_a_denied_tool_gives_the_reason(tmp_path: Path) -> None:
    turn, _ = played(tmp_path, ASK, answer=deny)

    (result,) = turn.of("tool_result")
    assert result["isError"] is True and result["content"] == "not on my machine"


def test_an_error_ends_the_turn_without_success(tmp_path: Path) -> None:
    turn, _ = played(tmp_path, {"error": "no"}, {"message": "never"})

    assert turn.events == [] and turn.end is not None
    assert (turn.end.success, turn.end.error) == (False, "no")


@pytest.mark.parametrize(
    ("step", "cause"), [({"crash": "bang"}, "process_exit"), ({"tpyo": 1}, "agent_error")]
)
def test_a_crash_or_a_bad_script_breaks_the_run(
    tmp_path: Path, step: dict[str, Any], cause: str
) -> None:
    with pytest.raises(BackendFailed) as caught:
        played(tmp_path, step)

    assert caught.value.cause == cause


def test_many_events(tmp_path: Path) -> None:
    turn, _ = played(tmp_path, {"events": 20000})

    assert len(turn.events) == 20000


def test_a_script_in_the_configuration_is_used_when_the_message_has_none(tmp_path: Path) -> None:
    config = {"mock": {"steps": [{"message": "configured"}], "session_id": "s-1"}}

    async def scenario() -> tuple[Turn, Turn]:
        async with opened(MockBackend(), tmp_path, config=config) as (run, _):
            assert run.backend_session_id == "s-1"
            first = await take_turn(run, "go")
            return first, await take_turn(run, 'mock: [{"message": "told"}]')

    first, second = asyncio.run(scenario())
    assert (first.said, second.said) == ("configured", "told")
    assert first.end is not None and first.end.is_alive


def test_a_script_is_found_inside_json_text(tmp_path: Path) -> None:
    title = 'mock: [{"message": "from \\"the\\" title"}]'
    message = json.dumps({"title": title, "body": "x"}, indent=2)

    async def scenario() -> Turn:
        async with opened(MockBackend(), tmp_path) as (run, _):
            return await take_turn(run, message)

    assert asyncio.run(scenario()).said == 'from "the" title'


@pytest.mark.parametrize("text", ["mock: [", "mock: [1, ", "mock: {}", "mock: [}"])
def test_a_script_that_is_none_is_a_message(tmp_path: Path, text: str) -> None:
    async def scenario() -> Turn:
        async with opened(MockBackend(), tmp_path) as (run, _):
            return await take_turn(run, text)

    assert text in asyncio.run(scenario()).said


@pytest.mark.parametrize("step", [{"hang": True}, {"delay": 600}, {"events": 10**9}])
def test_an_interrupt_ends_the_turn(tmp_path: Path, step: dict[str, Any]) -> None:
    async def scenario() -> Turn:
        async with opened(MockBackend(), tmp_path) as (run, _):
            message = f"mock: {json.dumps([{'message': 'begun'}, step, {'message': 'never'}])}"
            begun: list[object] = []
            taking = asyncio.create_task(take_turn(run, message, on_event=begun.append))
            await when(lambda: bool(begun))
            await run.interrupt()
            return await taking

    turn = asyncio.run(scenario())
    assert turn.end is not None and turn.end.reason == "stopped" and not turn.end.success
    assert "never" not in turn.said


def test_an_interrupt_withdraws_a_question(tmp_path: Path) -> None:
    asking, withdrawn = asyncio.Event(), []

    async def scenario() -> Turn:
        async with opened(MockBackend(), tmp_path) as (run, _):

            async def never(request: object) -> None:
                asking.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    withdrawn.append(request)

            object.__setattr__(run._options, "ask", never)  # type: ignore[attr-defined]
            taking = asyncio.create_task(take_turn(run, f"mock: {json.dumps([ASK])}"))
            await asking.wait()
            await run.interrupt()
            return await taking

    turn = asyncio.run(scenario())
    assert turn.end is not None and turn.end.reason == "stopped"
    assert len(withdrawn) == 1


@pytest.mark.parametrize(
    ("mock", "resume_id", "kind"),
    [
        ({"fails_to_open": "no"}, None, BackendFailed),
        ({"fails_to_resume": "gone"}, "s-1", ResumeFailed),
    ],
)
def test_opening_may_fail(
    tmp_path: Path, mock: dict[str, str], resume_id: str | None, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        played(tmp_path, config={"mock": mock}, resume_id=resume_id)


def test_a_tool_of_the_server_is_called_once_it_is_allowed(
    tmp_path: Path, start_server: Callable[..., Any]
) -> None:
    url = f"{start_server().url}/mcp"
    steps = ({"mcp": "list_projects"}, {"mcp": "no_such_tool", "input": {"a": 1}})

    turn, asked = played(tmp_path, *steps, answer=allow, mcp_url=url)

    assert [r.tool_name for r in asked] == [
        "mcp__kombuse__list_projects",
        "mcp__kombuse__no_such_tool",
    ]
    first, second = turn.of("tool_result")
    assert '"projects"' in first["content"] and "isError" not in first
    assert second["isError"] is True


def test_a_server_that_is_not_there_is_a_failed_tool(tmp_path: Path) -> None:
    turn, _ = played(tmp_path, {"mcp": "list_projects"}, mcp_url="http://127.0.0.1:1/mcp")

    assert turn.of("tool_result")[0]["isError"] is True
