"""Agent backends: what runs a coding agent, and what it tells while it runs.

A backend is offered by the hook `kombuse_agent_backends`. The session runner opens one `AgentRun`
per live session, consumes its events turn by turn, and closes it. Everything here happens on one
event loop of the runner's own thread: a backend must not block it.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from kombuse_sdk.home import TOKEN_VARIABLE

__all__ = [
    "AgentBackend",
    "AgentEvent",
    "AgentRun",
    "BackendFailed",
    "BackendStatus",
    "Decision",
    "Image",
    "Model",
    "ModelCatalogue",
    "PermissionRequest",
    "ResumeFailed",
    "RunOptions",
    "TurnEnd",
    "Usage",
]


class BackendFailed(Exception):
    """The backend cannot start or go on; `cause` is a terminal reason of the sessions API."""

    def __init__(self, message: str, cause: str = "agent_error") -> None:
        super().__init__(message)
        self.cause = cause


class ResumeFailed(BackendFailed):
    """The backend does not know the session that it was asked to resume."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "resume_failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image of a user message; `data` is base64 without a prefix."""

    data: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentEvent:
    """Something the agent did. `payload` has the fields of its type in the sessions API:

    message (role, content), tool_use (id, name, input), tool_result (toolUseId, content, isError),
    raw (sourceType, data), error (message).
    """

    type: Literal["message", "tool_use", "tool_result", "raw", "error"]
    payload: Mapping[str, Any]
    event_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a turn cost, as far as the backend reports it."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEnd:
    """The last thing of a turn. A run that is_alive afterwards takes another `send`."""

    success: bool
    reason: str = "result"
    error: str | None = None
    is_alive: bool = True
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionRequest:
    """The agent wants to use a tool and waits for the answer."""

    request_id: str
    tool_name: str
    input: Mapping[str, Any]
    tool_use_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer to a permission request; `updated_input` None means the input as requested."""

    behavior: Literal["allow", "deny"]
    updated_input: Mapping[str, Any] | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to start. `ask` is awaited for every tool use that the backend has to have approved.

    `spent_usd` is what the session has cost before this run, for backends that count on.
    `mcp_token` is what `mcp_url` wants as `Authorization: Bearer`, if it wants that; a program gets
    it in its environment (`environment`), never as an argument, which every user can read.
    """

    session_id: str
    cwd: Path
    ask: Callable[[PermissionRequest], Awaitable[Decision]]
    project_id: str | None = None
    system_prompt: str | None = None
    resume_id: str | None = None
    model: str | None = None
    permission_mode: str | None = None
    thinking_tokens: int | None = None
    mcp_url: str | None = None
    mcp_token: str | None = None
    spent_usd: float = 0.0
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Variables for the program that runs the agent."""
        return {TOKEN_VARIABLE: self.mcp_token} if self.mcp_token else {}


class AgentRun(Protocol):
    """One live agent. After `TurnEnd` it waits for the next `send`, until `close`."""

    @property
    def backend_session_id(self) -> str | None:
        """What `resume_id` must be to go on later; None while it is not known."""
        ...

    @property
    def pid(self) -> int | None: ...

    def turn(self, message: str, images: Sequence[Image]) -> AsyncIterator[AgentEvent | TurnEnd]:
        """Send a user message and tell what follows, up to and including one `TurnEnd`.

        Raises BackendFailed when the backend ends or breaks in mid-turn, and ResumeFailed in the
        first turn when only then the backend tells that it does not know the session.
        """
        ...

    async def interrupt(self) -> None:
        """End the turn as soon as possible; `turn` then ends with an unsuccessful `TurnEnd`."""
        ...

    async def close(self) -> None:
        """End the backend and everything it started: politely, then by force. May be repeated."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendStatus:
    """Whether a backend can run here; `hint` says how to install it when it cannot."""

    available: bool
    version: str | None = None
    path: str | None = None
    meets_minimum: bool = True
    minimum_version: str | None = None
    node_version: str | None = None
    meets_node_minimum: bool = True
    minimum_node_version: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    id: str
    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCatalogue:
    supports_selection: bool
    models: Sequence[Model] = ()
    default_model_id: str | None = None


class AgentBackend(Protocol):
    """A kind of agent, named as in `backend_type`."""

    @property
    def name(self) -> str: ...

    async def open(self, options: RunOptions) -> AgentRun:
        """Start or prepare a run; BackendFailed (with how to mend it) or ResumeFailed."""
        ...

    async def status(self, project_id: str | None = None) -> BackendStatus: ...

    async def models(self) -> ModelCatalogue: ...
