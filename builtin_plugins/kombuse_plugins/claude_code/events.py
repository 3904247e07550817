"""What a message of the claude program means, as events of a session."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kombuse_sdk.agents import AgentEvent, Usage

__all__ = ["events_of", "failure_of", "is_unknown_session", "usage_of"]

_UNKNOWN_SESSION = (
    "does not exist",
    "not found",
    "no conversation found",
    "no such session",
    "invalid session",
    "unknown session",
    "valid session id",
)
_TOKENS = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_tokens": "cache_read_input_tokens",
    "cache_write_tokens": "cache_creation_input_tokens",
}
Message = Mapping[str, Any]


def events_of(message: Message) -> list[AgentEvent]:
    """Every event of a message; a `result` has none of its own."""
    match message.get("type"):
        case "assistant":
            return _numbered(message, list(_of_assistant(message)))
        case "user":
            return _numbered(message, list(_of_user(message)))
        case "system":
            return _numbered(message, [_raw(_text(message.get("subtype")) or "system", message)])
        case other:
            return _numbered(message, [_raw(_text(other) or "unknown", message)])


def usage_of(result: Message) -> Usage:
    reported = result.get("usage")
    tokens = reported if isinstance(reported, Mapping) else {}
    cost = result.get("total_cost_usd")
    counts = {ours: tokens.get(theirs) for ours, theirs in _TOKENS.items()}
    return Usage(
        **{name: count for name, count in counts.items() if isinstance(count, int)},
        cost_usd=float(cost) if isinstance(cost, int | float) else 0.0,
    )


def failure_of(result: Message) -> str | None:
    """Why a turn failed, None when it did not."""
    subtype = _text(result.get("subtype"))
    if subtype == "success" and result.get("is_error") is not True:
        return None
    errors = result.get("errors")
    texts = [text for text in errors if isinstance(text, str)] if isinstance(errors, list) else []
    return (
        "; ".join(texts)
        or (_text(result.get("result")) or "")[:500]
        or (f"Claude run ended with {subtype}" if subtype else "Claude run failed")
    )


def is_unknown_session(text: str) -> bool:
    return any(phrase in text.lower() for phrase in _UNKNOWN_SESSION)


def _of_assistant(message: Message) -> Iterator[AgentEvent]:
    blocks = [block for block in _blocks(message) or () if not _is_blank(block)]
    if not blocks:
        yield _raw("assistant", message)
    for block in blocks:
        match block.get("type"):
            case "text":
                yield _said(block)
            case "thinking":
                yield _raw("thinking", block)
            case "tool_use":
                payload = {"id": block.get("id"), "name": block.get("name")}
                payload["input"] = block.get("input") or {}
                yield AgentEvent(type="tool_use", payload=payload)
            case _:
                yield _raw("assistant_block", block)


def _of_user(message: Message) -> Iterator[AgentEvent]:
    """Text of a user message is what the program itself put in, never the agent's words."""
    blocks = _blocks(message)
    if blocks is None:
        yield _raw("user", message)
    for block in blocks or ():
        if block.get("type") == "tool_result":
            payload = {"toolUseId": block.get("tool_use_id"), "content": block.get("content") or ""}
            if block.get("is_error"):
                payload["isError"] = True
            yield AgentEvent(type="tool_result", payload=payload)
        else:
            yield _raw("user", block)


def _said(block: Mapping[str, Any]) -> AgentEvent:
    return AgentEvent(type="message", payload={"role": "assistant", "content": block["text"]})


def _is_blank(block: Mapping[str, Any]) -> bool:
    return block.get("type") == "text" and not (_text(block.get("text")) or "").strip()


def _blocks(message: Message) -> Sequence[Mapping[str, Any]] | None:
    inner = message.get("message")
    content = inner.get("content") if isinstance(inner, Mapping) else None
    if not isinstance(content, list):
        return None
    return [block for block in content if isinstance(block, Mapping)]


def _raw(source: str, data: Any) -> AgentEvent:
    return AgentEvent(type="raw", payload={"sourceType": source, "data": data})


def _numbered(message: Message, events: list[AgentEvent]) -> list[AgentEvent]:
    """With ids made of the line's own, by which a line that is read again is known again."""
    line = _text(message.get("uuid"))
    if line is None:
        return events
    return [
        AgentEvent(
            type=event.type,
            payload=event.payload,
            event_id=line if len(events) == 1 else f"{line}-{index}",
        )
        for index, event in enumerate(events)
    ]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
