"""The lines of a session file as the events that the API answers."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kombuse_plugins.claude_code.events import failure_of
from kombuse_plugins.claude_code.line_schemas import type_of

__all__ = ["recorded_events"]

_SILENT = frozenset({"progress", "queue-operation", "file-history-snapshot"})
_MOST_BLOCKS = 1000
_NAMESPACE = uuid.UUID("8f1f2d5e-5a0f-4b39-9f0c-6d0c51e1c0de")
Event = dict[str, Any]


def recorded_events(item: Any, session_id: str, number: int) -> list[Event]:
    """A line without an id of its own has one made of the session and the number of the line."""
    line = item if isinstance(item, dict) else {}
    event_id = _text(line.get("uuid")) or str(uuid.uuid5(_NAMESPACE, f"{session_id}:{number}"))
    stamp = {"backend": "claude-code", "timestamp": _milliseconds(line.get("timestamp"))}
    return [
        {"type": event.pop("type"), "eventId": event_id + suffix, **stamp, **event}
        for suffix, event in _events(item)
    ]


def _events(item: Any) -> Iterator[tuple[str, Event]]:
    """(what is appended to the id, event)"""
    kind = type_of(item)
    match kind:
        case "assistant" | "user":
            yield from _of_message(kind, item)
        case "result":
            yield from _of_result(item)
        case "control_request":
            yield "", _permission_request(item)
        case "system":
            yield "", _raw(_text(item.get("subtype")) or kind, item)
        case _ if kind not in _SILENT:
            yield "", _raw(kind, item)


def _of_message(kind: str, item: Event) -> Iterator[tuple[str, Event]]:
    message = item.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if not isinstance(content, list) or len(content) > _MOST_BLOCKS:
        yield "", _raw(kind, item)
        return
    found = [(n, event) for n, block in enumerate(content) if (event := _of_block(kind, block))]
    if not found and kind == "assistant":
        yield "", _raw(kind, item)
    for n, event in found:
        yield f"-{n}" if len(content) > 1 else "", event


def _of_block(role: str, block: Any) -> Event | None:
    match block:
        case {"type": "text", "text": str(text)}:
            return {"type": "message", "role": role, "content": text}
        case {"type": "thinking"}:
            return _raw("thinking", block)
        case {"type": "tool_use"}:
            given = block.get("input") or {}
            return {
                "type": "tool_use",
                "id": block.get("id"),
                "name": block.get("name"),
                "input": given,
            }
        case {"type": "tool_result"}:
            result = {
                "type": "tool_result",
                "toolUseId": block.get("tool_use_id"),
                "content": block.get("content") or "",
            }
            return result | ({"isError": True} if block.get("is_error") else {})
        case _:
            return None


def _of_result(item: Event) -> Iterator[tuple[str, Event]]:
    failure = failure_of(item)
    complete = {"type": "complete", "reason": "result", "sessionId": item.get("session_id")}
    complete |= {"success": failure is None, "numTurns": item.get("num_turns")}
    yield "", complete | ({} if failure is None else {"errorMessage": failure})
    errors = item.get("errors")
    if failure is not None and isinstance(errors, list) and errors:
        yield "-error", {"type": "error", "message": failure}


def _permission_request(item: Event) -> Event:
    request = item.get("request")
    about = request if isinstance(request, dict) else {}
    return {
        "type": "permission_request",
        "requestId": item.get("request_id"),
        "toolName": about.get("tool_name"),
        "toolUseId": about.get("tool_use_id"),
        "input": about.get("input") or {},
    }


def _raw(source: str, data: Any) -> Event:
    return {"type": "raw", "sourceType": source, "data": data}


def _milliseconds(text: Any) -> int:
    try:
        return max(0, int(datetime.fromisoformat(text).timestamp() * 1000))
    except (TypeError, ValueError, OverflowError):
        return 0


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
