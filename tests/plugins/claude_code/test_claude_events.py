"""What messages of the claude program mean."""

from typing import Any

import pytest

from kombuse_plugins.claude_code.events import (
    events_of,
    failure_of,
    is_unknown_session,
    usage_of,
)
from kombuse_sdk.agents import Usage


def of(role: str, *blocks: Any, **more: Any) -> list[tuple[str, Any]]:
    message = {"type": role, "message": {"role": role, "content": list(blocks)}, **more}
    return [(event.type, event.payload) for event in events_of(message)]


def test_text_is_a_message_and_blank_text_is_dropped() -> None:
    found = of("assistant", {"type": "text", "text": " \n"}, {"type": "text", "text": "hi"})

    assert found == [("message", {"role": "assistant", "content": "hi"})]


def test_tool_use_and_result() -> None:
    use = {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "/a"}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "x", "is_error": True}

    assert of("assistant", use) == [
        ("tool_use", {"id": "t1", "name": "Read", "input": {"file_path": "/a"}})
    ]
    assert of("user", result) == [
        ("tool_result", {"toolUseId": "t1", "content": "x", "isError": True})
    ]


def test_thinking_and_other_blocks_are_raw() -> None:
    thinking, other = {"type": "thinking", "thinking": "hm"}, {"type": "server_tool_use"}

    sources = [payload["sourceType"] for _, payload in of("assistant", thinking, other)]

    assert sources == ["thinking", "assistant_block"]


def test_text_of_a_user_message_is_not_the_agents() -> None:
    block = {"type": "text", "text": "[Request interrupted by user]"}

    assert of("user", block) == [("raw", {"sourceType": "user", "data": block})]


@pytest.mark.parametrize(
    ("message", "source"),
    [
        ({"type": "system", "subtype": "init"}, "init"),
        ({"type": "system"}, "system"),
        ({"type": "stream_event", "event": {}}, "stream_event"),
        ({"type": "brand_new"}, "brand_new"),
        ({"type": 7}, "unknown"),
        ({}, "unknown"),
        ({"type": "assistant"}, "assistant"),
        ({"type": "assistant", "message": []}, "assistant"),
        ({"type": "assistant", "message": {"content": [3]}}, "assistant"),
        ({"type": "user", "message": {"content": "plain"}}, "user"),
    ],
)
def test_everything_else_is_raw(message: dict[str, Any], source: str) -> None:
    (event,) = events_of(message)

    assert (event.type, event.payload["sourceType"]) == ("raw", source)


def test_ids_are_made_of_the_id_of_the_line() -> None:
    block = {"type": "text", "text": "x"}
    one = {"type": "assistant", "uuid": "u", "message": {"content": [block]}}
    two = {"type": "assistant", "uuid": "u", "message": {"content": [block, block]}}

    assert [event.event_id for event in events_of(one)] == ["u"]
    assert [event.event_id for event in events_of(two)] == ["u-0", "u-1"]


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"subtype": "success"}, None),
        ({"subtype": "success", "is_error": True, "result": "x" * 600}, "x" * 500),
        ({"subtype": "error_max_turns"}, "Claude run ended with error_max_turns"),
        ({"subtype": "error_during_execution", "errors": ["a", 1, "b"]}, "a; b"),
        ({}, "Claude run failed"),
    ],
)
def test_why_a_turn_failed(result: dict[str, Any], text: str | None) -> None:
    assert failure_of(result) == text


def test_usage_is_what_is_told() -> None:
    usage = {"input_tokens": 1, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 3}
    usage["output_tokens"] = 4

    assert usage_of({"usage": usage, "total_cost_usd": 0.5}) == Usage(
        input_tokens=1, output_tokens=4, cache_read_tokens=2, cache_write_tokens=3, cost_usd=0.5
    )
    assert usage_of({"usage": "x", "total_cost_usd": None}) == Usage()


@pytest.mark.parametrize(
    "text",
    [
        "No conversation found with session ID: 7",
        "Session 7 does not exist",
        "Error: --resume requires a valid session ID or session title",
    ],
)
def test_a_session_that_is_not_known(text: str) -> None:
    assert is_unknown_session(text)
    assert not is_unknown_session("out of memory")
