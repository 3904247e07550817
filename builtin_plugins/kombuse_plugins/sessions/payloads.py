"""Payloads of session events, made fit to be stored and sent: bounded, and JSON in every respect.

What an agent says is not ours to trust: it nests endlessly, holds NaN or half a character, or is
ten megabytes of a log file.
"""

import json
import math
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kombuse_plugins.sessions.secrets import redacted

__all__ = ["MAX_CHARACTERS", "Entry", "entry", "image_lines"]

MAX_CHARACTERS = 102_400
MAX_CONTENT = 81_920
MAX_DEPTH = 8
_SHORTER = (20_480, 4_096, 1_024, 256)
_CUT = "...[truncated]"
_SHORTEST_SECRET = 12
_HIDDEN = "cli_pre_normalization"


@dataclass(slots=True)
class Entry:
    """An event on its way to the table: `text` is the JSON of `payload`."""

    event_type: str
    payload: dict[str, Any]
    text: str
    is_streamed: bool = True


def entry(
    event_type: str,
    payload: Mapping[str, Any],
    *,
    backend: str | None,
    event_id: str | None = None,
) -> Entry | None:
    """None for an event that is not kept: the raw copy of what is stored in a normal form."""
    if event_type == "raw" and payload.get("sourceType") == _HIDDEN:
        return None
    made: dict[str, Any] = {"type": event_type, "eventId": event_id or str(uuid.uuid4())}
    if backend is not None:
        made["backend"] = backend
    made["timestamp"] = time.time_ns() // 1_000_000
    for key, value in payload.items():
        if key not in made:
            made[str(key)] = _plain(value, 1)
    text = _dump(made)
    if len(text) > MAX_CHARACTERS:
        made, text = _cut(made, len(text))
    return Entry(event_type, made, text, event_type != "permission_response")


def image_lines(images: Any) -> str:
    """What the record keeps of the images of a message: `[image: <type>, <size>]` lines."""
    return "".join(f"\n[image: {i.media_type}, {_size(len(i.data) * 3 // 4)}]" for i in images)


def _size(count: int) -> str:
    if count < 1024:
        return f"{count} B"
    if count < 1024 * 1024:
        return f"{count / 1024:.1f} KB"
    return f"{count / 1024 / 1024:.1f} MB"


def _plain(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = value if value.isascii() else value.encode("utf-8", "replace").decode()
        return redacted(text) if len(text) >= _SHORTEST_SECRET else text
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        if depth >= MAX_DEPTH:
            return "[MaxDepthExceeded]"
        return {_plain(str(key), depth): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        if depth >= MAX_DEPTH:
            return "[MaxDepthExceeded]"
        return [_plain(item, depth + 1) for item in value]
    return _plain(str(value), depth)


def _cut(payload: dict[str, Any], size: int) -> tuple[dict[str, Any], str]:
    """First the content alone, then every text and list shorter and shorter, until it fits."""
    marks = {"_truncated": True, "_originalSize": size}
    content = payload.get("content")
    if isinstance(content, str) and len(content) > MAX_CONTENT:
        payload = payload | {"content": content[:MAX_CONTENT] + _CUT}
        text = _dump(payload | marks)
        if len(text) <= MAX_CHARACTERS:
            return payload | marks, text
    for limit in _SHORTER:
        shorter = _shortened(payload, limit) | marks
        text = _dump(shorter)
        if len(text) <= MAX_CHARACTERS:
            return shorter, text
    bare = {
        key: payload[key]
        for key in ("type", "eventId", "backend", "timestamp", "role")
        if key in payload
    } | marks
    return bare, _dump(bare)


def _shortened(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limit else value[:limit] + _CUT
    if isinstance(value, dict):
        kept = list(value.items())[: limit // 8]
        return {key[:limit]: _shortened(item, limit) for key, item in kept}
    if isinstance(value, list):
        return [_shortened(item, limit) for item in value[: limit // 8]]
    return value


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
