"""Tools that agents call over the Model Context Protocol."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from kombuse_sdk.events import ActorType

__all__ = ["Caller", "Image", "Tool", "ToolCall", "ToolDecision", "ToolInput", "ToolResult"]


class ToolInput(BaseModel):
    """Arguments of a tool. Unknown keys are dropped; a numeric string passes for an integer.

    Objects inside it are `ToolInput` too. An optional field is published without null; where null
    has a meaning of its own, say so: `Annotated[Id | None, WithJsonSchema({"type": ["string",
    "null"]})]`. A field `kombuse_session_id: str | None` tells who calls.
    """

    model_config = ConfigDict(extra="ignore", defer_build=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls a tool; the author and actor of whatever it writes."""

    profile_id: str
    actor_type: ActorType
    is_anonymous: bool
    session_id: str | None = None
    agent_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call about to be made, for plugins that decide about it.

    `session_id` is what the caller says, or `bound_to`: the session whose token it presented, which
    only agents have and only where tokens are required.
    """

    tool: str
    is_write: bool
    session_id: str | None
    arguments: dict[str, Any]
    bound_to: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDecision:
    """`caller` is who it was found to be; `reason` says why it may not be made."""

    behaviour: Literal["allow", "deny"]
    caller: Caller
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool answers: `data` is the JSON value; `compact` leaves out the indentation.

    The value may be or hold `JsonText`, pydantic models and rows.
    """

    data: Any
    compact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture as the whole answer of a tool with the output `Any`; `data` is base64."""

    data: str
    mime_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool.

    `run(tx, caller, arguments)` is called with a `WriteTx` if `is_write`, else with a `ReadTx`, in
    a worker thread; it returns a JSON value, a `ToolResult` or an `Image` and raises SDK errors. A
    coroutine function gets the kernel instead of a transaction and runs on the event loop: for what
    waits for something else than the database. `output` is the type of the JSON value, published
    as its schema (its top level, so that `tools/list` stays small). `order` places it in
    `tools/list`.
    """

    name: str
    title: str
    description: str
    input: type[ToolInput]
    output: Any
    run: Callable[[Any, Caller, Any], Any]
    is_write: bool = False
    is_destructive: bool = False
    is_idempotent: bool = False
    order: int = 1000
