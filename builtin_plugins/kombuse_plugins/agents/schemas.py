"""Wire shapes of agents, their configuration and their permissions."""

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

from kombuse_sdk.schemas import (
    Body,
    Int,
    JsonObject,
    Limit,
    NonEmpty,
    Offset,
    Output,
    Query,
    QueryBool,
    Slug,
    Text,
    issue_error,
)

__all__ = [
    "Action",
    "Agent",
    "AgentConfig",
    "AgentCreate",
    "AgentFilter",
    "AgentUpdate",
    "AgentWithPreset",
    "BySlug",
    "Export",
    "Exported",
    "Permission",
    "ResolvedPreset",
    "ResourcePermission",
    "Scope",
    "ToolPermission",
    "Uuid",
]

# For fields that may be absent but not null; `Body.changes` leaves them out.
ABSENT: Any = None

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
# https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string
_SEMVER = re.compile(
    r"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)"
    r"(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?",
    re.ASCII,
)


def _uuid(value: str) -> str:
    if not _UUID.fullmatch(value):
        raise issue_error("invalid_format", "Must be a valid UUID")
    return value


def _semver(value: str) -> str:
    if not _SEMVER.fullmatch(value):
        raise issue_error("invalid_format", "Must be a version such as 1.2.3")
    return value


Uuid = Annotated[str, Field(strict=True), AfterValidator(_uuid)]
Version = Annotated[str, Field(strict=True), AfterValidator(_semver)]
PositiveInt = Annotated[Int, Field(gt=0)]
Pattern = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
Action = Literal["read", "create", "update", "delete", "*"]
Scope = Literal["invocation", "project", "global"]


class ResourcePermission(Body):
    """`resource` may hold `*` and `?`. The filter is kept, but nothing looks at it yet."""

    type: Literal["resource"]
    resource: Pattern
    actions: Annotated[list[Action], Field(min_length=1)]
    scope: Scope
    filter: Text | JsonObject = ABSENT


class ToolPermission(Body):
    """`tool` may hold `*` and `?`."""

    type: Literal["tool"]
    tool: Pattern
    scope: Scope


Permission = Annotated[ResourcePermission | ToolPermission, Field(discriminator="type")]


class _Open(BaseModel):
    """Keys that are not known are kept."""

    model_config = ConfigDict(extra="allow")


class AnthropicConfig(_Open):
    thinking: StrictBool | JsonObject = ABSENT
    thinking_budget: PositiveInt = ABSENT


class OpenaiConfig(_Open):
    response_format: Literal["json", "text"] | JsonObject = ABSENT


_BACKENDS = "claude-code, codex, mock, or what a plugin offers"


class AgentConfig(_Open):
    """How an agent runs. A `type` that is a string selects the preset."""

    type: Any = ABSENT
    backend_type: Annotated[NonEmpty, Field(description=_BACKENDS)] = ABSENT
    model: Text = ABSENT
    max_tokens: PositiveInt = ABSENT
    temperature: Annotated[StrictInt | StrictFloat, Field(ge=0, le=1)] = ABSENT
    anthropic: AnthropicConfig = ABSENT
    openai: OpenaiConfig = ABSENT
    retry_on_failure: StrictBool = ABSENT
    max_retries: Annotated[Int, Field(ge=0, le=100)] = ABSENT
    timeout_ms: PositiveInt = ABSENT
    enabled_for_chat: StrictBool = ABSENT
    can_invoke_agents: StrictBool = ABSENT
    max_chain_depth: Annotated[Int, Field(ge=1, le=100)] = ABSENT
    max_concurrent: Annotated[PositiveInt, Field(description="Runs at one time")] = ABSENT
    auto_approved_tools_override: list[Text] = ABSENT
    auto_approved_bash_commands_override: list[Text] = ABSENT
    clear_base_bash_commands: StrictBool = ABSENT
    min_backend_version: Version = ABSENT

    @model_validator(mode="after")
    def _is_json(self) -> "AgentConfig":
        try:
            json.dumps(self.model_dump(exclude_unset=True), allow_nan=False)
        except ValueError:
            raise issue_error("custom", "Expected numbers within range") from None
        return self


class Agent(Output):
    """What runs when a trigger fires or a person chats; its name and description are a profile."""

    id: str
    slug: str | None
    system_prompt: str
    permissions: list[dict[str, Any]]
    config: dict[str, Any]
    is_enabled: bool
    plugin_id: str | None
    project_id: str | None = Field(description="null: of every project")
    plugin_base: dict[str, Any] | None = Field(description="What the package brought")
    created_at: str
    updated_at: str


class ResolvedPreset(Output):
    type: str
    auto_approved_tools: list[str] = Field(serialization_alias="autoApprovedTools")
    auto_approved_bash_commands: list[str] = Field(serialization_alias="autoApprovedBashCommands")


class AgentWithPreset(Agent):
    resolved_preset: ResolvedPreset


class AgentCreate(Body):
    name: NonEmpty
    description: NonEmpty
    system_prompt: NonEmpty
    id: Uuid = ABSENT
    slug: Slug = ABSENT
    permissions: list[Permission] = Field(default=[])
    config: AgentConfig = Field(default_factory=AgentConfig)
    is_enabled: StrictBool = True
    project_id: NonEmpty = ABSENT


class AgentUpdate(Body):
    system_prompt: NonEmpty = ABSENT
    permissions: list[Permission] = ABSENT
    config: AgentConfig = ABSENT
    is_enabled: StrictBool = ABSENT


class AgentFilter(Query):
    is_enabled: QueryBool | None = None
    enabled_for_chat: QueryBool | None = None
    project_id: str | None = Field(None, description="With the agents of every project")
    limit: Limit = 100
    offset: Offset = 0


class BySlug(Query):
    plugin_id: str | None = None
    project_id: str | None = Field(None, description="The agents of this project come first")


class Export(Body):
    directory: NonEmpty
    agent_ids: list[Text] = Field(default=[], description="All when empty")


class Exported(Output):
    directory: str
    count: int
    files: list[str]
