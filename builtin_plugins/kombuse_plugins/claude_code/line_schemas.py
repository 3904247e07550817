"""What a line of a session file has to be, by its type."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kombuse_sdk.errors import issue
from kombuse_sdk.failures import issues_of

__all__ = ["check", "type_of"]

Number = int | float
_CONTENT = ["message", "content"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, defer_build=True)


class _Stamped(_Shape):
    sessionId: str  # noqa: N815
    uuid: str
    timestamp: str


class _Text(_Shape):
    type: Literal["text"]
    text: str


class _Thinking(_Shape):
    type: Literal["thinking"]
    thinking: str


class _ToolUse(_Shape):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]


class _ToolResult(_Shape):
    type: Literal["tool_result"]
    tool_use_id: str


class _AssistantMessage(_Shape):
    role: Literal["assistant"]
    content: list[
        Annotated[_Text | _Thinking | _ToolUse | _ToolResult, Field(discriminator="type")]
    ]


class _UserMessage(_Shape):
    role: Literal["user"]
    content: Any


class _System(_Stamped):
    subtype: str


class _Assistant(_Stamped):
    message: _AssistantMessage


class _User(_Stamped):
    message: _UserMessage


class _QueueOperation(_Shape):
    operation: str
    timestamp: str
    sessionId: str  # noqa: N815


class _FileHistorySnapshot(_Shape):
    messageId: str  # noqa: N815
    snapshot: dict[str, Any]


class _CanUseTool(_Shape):
    subtype: Literal["can_use_tool"]
    tool_name: str
    input: dict[str, Any]


class _ControlRequest(_Shape):
    request_id: str
    request: _CanUseTool


class _Result(_Shape):
    session_id: str
    duration_ms: Number
    duration_api_ms: Number
    is_error: bool
    num_turns: Number
    total_cost_usd: Number


class _Success(_Result):
    result: str
    usage: dict[str, Any]


class _Failure(_Result):
    subtype: Literal[
        "error_max_turns",
        "error_during_execution",
        "error_max_budget_usd",
        "error_max_structured_output_retries",
    ]
    errors: list[str]


_SHAPES: dict[str, type[_Shape]] = {
    "system": _System,
    "assistant": _Assistant,
    "user": _User,
    "progress": _Stamped,
    "queue-operation": _QueueOperation,
    "file-history-snapshot": _FileHistorySnapshot,
    "control_request": _ControlRequest,
    "result": _Failure,
}


def type_of(item: Any) -> str:
    found = item.get("type") if isinstance(item, dict) else None
    return found if isinstance(found, str) else "unknown"


def check(item: Any) -> list[dict[str, Any]]:
    """What is wrong with a line, as issues whose path is joined by dots; empty when nothing."""
    shape = _SHAPES.get(type_of(item)) if isinstance(item, dict) else None
    if shape is None:
        return [_dotted(issue("invalid_union", ["type"], "Unknown type of line"))]
    if shape is _Failure and item.get("subtype") == "success":
        shape = _Success
    try:
        shape.model_validate(item)
    except ValidationError as error:
        return [_dotted(found) for found in issues_of(error)]
    return []


def _dotted(found: dict[str, Any]) -> dict[str, Any]:
    """Without the name that pydantic puts into the path for the kind of a content block."""
    path = found["path"]
    if path[:2] == _CONTENT and len(path) > 4:
        path = [*path[:3], *path[4:]]
    return {
        "path": ".".join(map(str, path)),
        "message": found["message"],
        "code": found["code"],
    }
