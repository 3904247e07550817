"""What a turn has done so far, as far as its end depends on it."""

import time
from dataclasses import dataclass, field
from typing import Any

from kombuse_plugins.sessions import resolution
from kombuse_plugins.sessions.payloads import Entry
from kombuse_plugins.sessions.replies import plan_text

__all__ = ["Progress"]

_ADD_COMMENT = "mcp__kombuse__add_comment"


@dataclass(slots=True)
class Progress:
    """`touched` is when the turn last gave a sign of life; `events` are those that count."""

    events: int = 0
    touched: float = field(default_factory=time.monotonic)
    last_text: str | None = None
    comment_calls: set[str] = field(default_factory=set)
    plan_calls: set[str] = field(default_factory=set)
    plan: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)

    def touch(self) -> None:
        self.touched = time.monotonic()

    def note(self, item: Entry) -> None:
        payload = item.payload
        if item.event_type == "message" and payload.get("role") == "assistant":
            self.last_text = resolution.text(payload.get("content")) or self.last_text
        elif item.event_type == "tool_use":
            self._note_call(str(payload.get("id")), payload.get("name"))
        elif item.event_type == "tool_result":
            call = str(payload.get("toolUseId"))
            if payload.get("isError"):
                self.comment_calls.discard(call)
            elif call in self.plan_calls:
                self.plan = plan_text(payload.get("content")) or self.plan
        elif item.event_type == "raw" and payload.get("sourceType") == "init":
            data = payload.get("data")
            version = data.get("claude_code_version") if isinstance(data, dict) else None
            if isinstance(version, str):
                self.metadata["cli_version"] = version[:100]

    def _note_call(self, call: str, tool: Any) -> None:
        if tool == _ADD_COMMENT:
            self.comment_calls.add(call)
        elif tool == "ExitPlanMode":
            self.plan_calls.add(call)
            self.metadata["exitPlanModeToolUseId"] = call
