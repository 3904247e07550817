"""What an item of a Codex turn means, as events of a session."""

import contextlib
import shlex
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from kombuse_sdk.agents import AgentEvent, Usage

__all__ = ["command_of", "completed", "raw", "said", "started", "usage_of"]

Item = Mapping[str, Any]
_SHELLS = frozenset({"bash", "sh", "zsh"})
_FAILED = frozenset({"failed", "declined"})


def started(item: Item) -> list[AgentEvent]:
    match item.get("type"):
        case "commandExecution":
            return [_use(item, "Bash", command_of(item))]
        case "fileChange":
            return [_use(item, "Write", _picked(item, "changes"))]
        case "mcpToolCall":
            given = item.get("arguments")
            name = f"mcp__{item.get('server')}__{item.get('tool')}"
            return [_use(item, name, given if isinstance(given, Mapping) else {"value": given})]
        case "webSearch":
            return [_use(item, "WebSearch", _picked(item, "query"))]
        case _:
            return []


def completed(item: Item) -> list[AgentEvent]:
    status = str(item.get("status"))
    match item.get("type"):
        case "agentMessage":
            text = item.get("text")
            return [said(text)] if isinstance(text, str) and text.strip() else []
        case "commandExecution":
            code = item.get("exitCode")
            ended = f"Command {status}" if code is None else f"Command exited with code {code}"
            is_error = status in _FAILED or code not in (None, 0)
            return [_result(item, item.get("aggregatedOutput") or ended, is_error)]
        case "fileChange":
            changes = item.get("changes")
            count = len(changes) if isinstance(changes, list) else 0
            text = f"Applied {count} file change(s)"
            if status != "completed":
                text = f"File change {status}"
            return [_result(item, text, status in _FAILED)]
        case "mcpToolCall":
            return [_mcp_result(item, status)]
        case "webSearch":
            return [_result(item, "Searched the web", False)]
        case "reasoning":
            return [raw("thinking", item)] if item.get("summary") or item.get("content") else []
        case "userMessage":
            return []
        case kind:
            return [raw(str(kind), item)]


def command_of(about: Item, *more: str) -> dict[str, Any]:
    """The input of a command, without the shell that Codex puts around it.

    `/bin/bash -lc 'git status'` runs `git status`: which is what a person or a rule judges.
    """
    given = _picked(about, "command", "cwd", "commandActions", *more)
    with contextlib.suppress(ValueError):
        match shlex.split(str(given.get("command", ""))):
            case [shell, "-lc" | "-c", inner] if PurePath(shell).name in _SHELLS:
                given["command"] = inner
    return given


def said(text: str) -> AgentEvent:
    return AgentEvent(type="message", payload={"role": "assistant", "content": text})


def raw(source: str, data: Any) -> AgentEvent:
    return AgentEvent(type="raw", payload={"sourceType": source, "data": data})


def usage_of(counts: Mapping[str, Any]) -> Usage:
    """Of counts of Codex, whose input counts what came from the cache as well."""
    cached = _count(counts, "cachedInputTokens")
    return Usage(
        input_tokens=max(0, _count(counts, "inputTokens") - cached),
        output_tokens=_count(counts, "outputTokens"),
        cache_read_tokens=cached,
        cache_write_tokens=_count(counts, "cacheWriteInputTokens"),
    )


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0


def _mcp_result(item: Item, status: str) -> AgentEvent:
    error, result = item.get("error"), item.get("result")
    if isinstance(error, Mapping):
        return _result(item, str(error.get("message") or "MCP tool failed"), True)
    found: Mapping[str, Any] = result if isinstance(result, Mapping) else {}
    if isinstance(content := found.get("content"), list) and content:
        return _result(item, content, status in _FAILED)
    if found.get("structuredContent") is not None:
        return _result(item, [found["structuredContent"]], status in _FAILED)
    return _result(item, f"MCP tool {status}", status in _FAILED)


def _use(item: Item, name: str, given: Mapping[str, Any]) -> AgentEvent:
    payload = {"id": str(item.get("id")), "name": name, "input": dict(given)}
    return AgentEvent(type="tool_use", payload=payload)


def _result(item: Item, content: Any, is_error: bool) -> AgentEvent:
    payload: dict[str, Any] = {"toolUseId": str(item.get("id")), "content": content}
    return AgentEvent(type="tool_result", payload=payload | ({"isError": True} if is_error else {}))


def _picked(item: Item, *names: str) -> dict[str, Any]:
    return {name: item[name] for name in names if item.get(name) is not None}
