"""Wire shapes of agents, their configuration and their permissions."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool

from kombuse_sdk.agent_schemas import (
    Action,
    AgentConfig,
    Permission,
    ResourcePermission,
    Scope,
    ToolPermission,
)
from kombuse_sdk.schemas import (
    ABSENT,
    Body,
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
    "AgentSaved",
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


_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def _uuid(value: str) -> str:
    if not _UUID.fullmatch(value):
        raise issue_error("invalid_format", "Must be a valid UUID")
    return value


Uuid = Annotated[str, Field(strict=True), AfterValidator(_uuid)]


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


class AgentSaved(Agent):
    warning: str = Field(ABSENT, description="Why it will not run as it is")


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
