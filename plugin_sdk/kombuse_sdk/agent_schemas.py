"""What an agent is made of, the same in requests and in files: permissions, config, invokers."""

import json
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    model_validator,
)

from kombuse_sdk.schemas import ABSENT, Body, Int, JsonObject, NonEmpty, Text, issue_error

__all__ = [
    "SELF",
    "Action",
    "AgentConfig",
    "AllowedInvoker",
    "AnthropicConfig",
    "Anybody",
    "OpenaiConfig",
    "OtherAgent",
    "Permission",
    "Person",
    "ResourcePermission",
    "Scope",
    "System",
    "ToolPermission",
]

SELF = "$SELF"
"""An agent's own id in the triggers of its file: it has another one wherever that is installed."""


# https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string
_SEMVER = re.compile(
    r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
    r"(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)


def _semver(value: str) -> str:
    if not _SEMVER.fullmatch(value):
        raise issue_error("invalid_format", "Must be a version such as 1.2.3")
    return value


_Version = Annotated[str, Field(strict=True), AfterValidator(_semver)]
_PositiveInt = Annotated[Int, Field(gt=0)]
_Pattern = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
Action = Literal["read", "create", "update", "delete", "*"]
Scope = Literal["invocation", "project", "global"]


class ResourcePermission(Body):
    """`resource` may hold `*` and `?`. The filter is kept, but nothing looks at it yet."""

    type: Literal["resource"]
    resource: _Pattern
    actions: Annotated[list[Action], Field(min_length=1)]
    scope: Scope
    filter: Text | JsonObject = ABSENT


class ToolPermission(Body):
    """`tool` may hold `*` and `?`."""

    type: Literal["tool"]
    tool: _Pattern
    scope: Scope


Permission = Annotated[ResourcePermission | ToolPermission, Field(discriminator="type")]


class _Open(BaseModel):
    """Keys that are not known are kept."""

    model_config = ConfigDict(extra="allow")


class AnthropicConfig(_Open):
    thinking: StrictBool | JsonObject = ABSENT
    thinking_budget: _PositiveInt = ABSENT


class OpenaiConfig(_Open):
    response_format: Literal["json", "text"] | JsonObject = ABSENT


_BACKENDS = "claude-code, codex, mock, or what a plugin offers"


class AgentConfig(_Open):
    """How an agent runs. A `type` that is a string selects the preset."""

    type: Any = ABSENT
    backend_type: Annotated[NonEmpty, Field(description=_BACKENDS)] = ABSENT
    model: Text = ABSENT
    max_tokens: _PositiveInt = ABSENT
    temperature: Annotated[StrictInt | StrictFloat, Field(ge=0, le=1)] = ABSENT
    anthropic: AnthropicConfig = ABSENT
    openai: OpenaiConfig = ABSENT
    retry_on_failure: StrictBool = ABSENT
    max_retries: Annotated[Int, Field(ge=0, le=100)] = ABSENT
    timeout_ms: _PositiveInt = ABSENT
    enabled_for_chat: StrictBool = ABSENT
    can_invoke_agents: StrictBool = ABSENT
    trusts_imported_authors: Annotated[
        StrictBool, Field(description="What imported profiles do may start the agent")
    ] = ABSENT
    max_chain_depth: Annotated[Int, Field(ge=1, le=100)] = ABSENT
    max_concurrent: Annotated[_PositiveInt, Field(description="Runs at one time")] = ABSENT
    auto_approved_tools_override: list[Text] = ABSENT
    auto_approved_bash_commands_override: list[Text] = ABSENT
    clear_base_bash_commands: StrictBool = ABSENT
    min_backend_version: _Version = ABSENT

    @model_validator(mode="after")
    def _is_json(self) -> "AgentConfig":
        try:
            json.dumps(self.model_dump(exclude_unset=True), allow_nan=False)
        except ValueError:
            raise issue_error("custom", "Expected numbers within range") from None
        return self


class Anybody(Body):
    type: Literal["any"]


class Person(Body):
    type: Literal["user"]


class System(Body):
    type: Literal["system"]


class OtherAgent(Body):
    type: Literal["agent"]
    agent_id: NonEmpty = ABSENT
    agent_type: NonEmpty = ABSENT


AllowedInvoker = Annotated[Anybody | Person | System | OtherAgent, Field(discriminator="type")]
