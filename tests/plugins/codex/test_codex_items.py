"""What items of a Codex turn mean."""

from typing import Any

import pytest

from kombuse_plugins.codex.items import command_of, completed, started, usage_of
from kombuse_sdk.agents import Usage


def only(events: list[Any]) -> tuple[str, Any]:
    (event,) = events
    return event.type, event.payload


@pytest.mark.parametrize(
    ("command", "inner"),
    [
        ("/bin/bash -lc 'git status; ls'", "git status; ls"),
        ("bash -lc ls", "ls"),
        ("/usr/bin/zsh -c \"echo 'a'\"", "echo 'a'"),
        ("git status", "git status"),
        ("bash -lc 'a' b", "bash -lc 'a' b"),
        ("bash -x -lc a", "bash -x -lc a"),
        ("sudo bash -lc a", "sudo bash -lc a"),
        ("env bash -lc a", "env bash -lc a"),
        ("/tmp/x/fish -c a", "/tmp/x/fish -c a"),
        ("bash -lc 'unfinished", "bash -lc 'unfinished"),
    ],
)
def test_a_command_is_judged_without_the_shell_around_it(command: str, inner: str) -> None:
    assert command_of({"command": command, "cwd": "/p"}) == {"command": inner, "cwd": "/p"}


def test_items_that_begin_are_tool_uses() -> None:
    change = {"path": "/a", "kind": "add"}
    cases: list[tuple[dict[str, Any], str, Any]] = [
        ({"type": "commandExecution", "command": "ls"}, "Bash", {"command": "ls"}),
        ({"type": "fileChange", "changes": [change]}, "Write", {"changes": [change]}),
        (
            {"type": "mcpToolCall", "server": "s", "tool": "t", "arguments": {"a": 1}},
            "mcp__s__t",
            {"a": 1},
        ),
        (
            {"type": "mcpToolCall", "server": "s", "tool": "t", "arguments": 3},
            "mcp__s__t",
            {"value": 3},
        ),
        ({"type": "webSearch", "query": "q"}, "WebSearch", {"query": "q"}),
    ]

    for item, name, given in cases:
        kind, payload = only(started({"id": "i", **item}))
        assert (kind, payload) == ("tool_use", {"id": "i", "name": name, "input": given})
    assert started({"type": "agentMessage"}) == []


@pytest.mark.parametrize(
    ("item", "content", "is_error"),
    [
        ({"type": "commandExecution", "exitCode": 0, "aggregatedOutput": "out"}, "out", False),
        ({"type": "commandExecution", "exitCode": 2}, "Command exited with code 2", True),
        ({"type": "commandExecution", "status": "declined"}, "Command declined", True),
        (
            {"type": "fileChange", "status": "completed", "changes": [1, 2]},
            "Applied 2 file change(s)",
            False,
        ),
        ({"type": "fileChange", "status": "failed"}, "File change failed", True),
        ({"type": "mcpToolCall", "error": {"message": "no"}}, "no", True),
        ({"type": "mcpToolCall", "result": {"content": ["b"]}}, ["b"], False),
        (
            {"type": "mcpToolCall", "result": {"content": [], "structuredContent": {"a": 1}}},
            [{"a": 1}],
            False,
        ),
        ({"type": "mcpToolCall", "status": "failed"}, "MCP tool failed", True),
    ],
)
def test_items_that_end_are_results(item: dict[str, Any], content: Any, is_error: bool) -> None:
    kind, payload = only(completed({"id": "i", **item}))

    assert kind == "tool_result" and payload["toolUseId"] == "i"
    assert payload["content"] == content and payload.get("isError", False) is is_error


def test_words_and_thoughts() -> None:
    said = only(completed({"type": "agentMessage", "text": "hi"}))
    assert said == ("message", {"role": "assistant", "content": "hi"})
    assert completed({"type": "agentMessage", "text": " "}) == []
    assert completed({"type": "userMessage"}) == []
    assert completed({"type": "reasoning", "summary": [], "content": []}) == []
    thought = only(completed({"type": "reasoning", "summary": ["hm"]}))
    assert thought[1]["sourceType"] == "thinking"
    assert only(completed({"type": "plan", "text": "p"}))[1]["sourceType"] == "plan"


def test_input_from_the_cache_is_counted_once() -> None:
    counts = {"inputTokens": 10, "cachedInputTokens": 4, "outputTokens": 5}

    assert usage_of(counts) == Usage(input_tokens=6, output_tokens=5, cache_read_tokens=4)
