"""Tool calls as rows of their own, made of the events while these are written."""

from typing import Any

from kombuse_plugins.sessions.payloads import Entry
from kombuse_sdk.storage import WriteTx

__all__ = ["record"]

_MAX_NAME = 200
_MAX_PATH = 4096
_CALLED = """
    INSERT INTO tool_calls
        (session_id, project_id, day, tool_name, tool_use_id, file_path, started_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_ENDED = """
    UPDATE tool_calls SET duration_ms = ? - started_ms
    WHERE session_id = ? AND tool_use_id = ? AND duration_ms IS NULL
"""


def record(tx: WriteTx, row_id: str, project_id: str | None, item: Entry) -> None:
    """Note a `tool_use`, or that it ended; of several results the first counts."""
    payload = item.payload
    if item.event_type == "tool_use":
        name = _text(payload.get("name")) or "Unknown"
        path = _file_path(payload.get("input")) if name == "Read" else None
        use_id = _text(payload.get("id"))
        values = (row_id, project_id, tx.now[:10], name[:_MAX_NAME], use_id, path)
        tx.execute(_CALLED, (*values, payload["timestamp"]))
    elif item.event_type == "tool_result" and (use_id := _text(payload.get("toolUseId"))):
        tx.execute(_ENDED, (payload["timestamp"], row_id, use_id))


def _file_path(given: Any) -> str | None:
    path = _text(given.get("file_path")) if isinstance(given, dict) else None
    return path and path[:_MAX_PATH]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
