"""Agents for agents."""

from typing import Annotated, Any

from pydantic import Field, StrictBool, WithJsonSchema

from kombuse_plugins.agents import queries, service
from kombuse_plugins.agents.schemas import (
    Agent,
    AgentConfig,
    AgentCreate,
    AgentFilter,
    AgentUpdate,
    Permission,
    Uuid,
)
from kombuse_sdk.contracts import Profiles, Projects
from kombuse_sdk.mcp import Caller, Tool, ToolInput
from kombuse_sdk.schemas import LooseInt, NonEmpty, Output, Slug
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["TOOLS"]

# Checked as by REST; what is published is short.
Permissions = Annotated[
    list[Permission],
    WithJsonSchema(
        {
            "type": "array",
            "items": {"type": "object"},
            "description": (
                '{"type": "resource", "resource": "ticket.*", "actions": ["read", "create",'
                ' "update", "delete", "*"], "scope": "invocation|project|global"} or'
                ' {"type": "tool", "tool": "Bash", "scope": ...}'
            ),
        }
    ),
]
Config = Annotated[
    AgentConfig,
    WithJsonSchema(
        {"type": "object", "description": "type, backend_type, model, enabled_for_chat, ..."}
    ),
]


class ListAgents(ToolInput):
    is_enabled: StrictBool | None = None
    project_id: str | None = Field(None, description="With the agents of every project")
    limit: Annotated[LooseInt, Field(ge=1, le=100)] = 50
    offset: Annotated[LooseInt, Field(ge=0)] = 0


class CreateAgent(ToolInput):
    name: NonEmpty
    description: NonEmpty
    system_prompt: NonEmpty
    id: Uuid | None = Field(None, description="A UUID")
    slug: Slug | None = None
    permissions: Permissions | None = None
    config: Config | None = None
    is_enabled: StrictBool = True
    project_id: NonEmpty | None = Field(None, description="Absent: for every project")
    kombuse_session_id: str | None = None


class UpdateAgent(ToolInput):
    agent_id: NonEmpty
    system_prompt: NonEmpty | None = None
    permissions: Permissions | None = Field(None, description="Replace all of them")
    config: Config | None = Field(None, description="Replaces all of it")
    is_enabled: StrictBool | None = None
    kombuse_session_id: str | None = None


class NamedAgent(Agent):
    name: str
    description: str | None


class AgentList(Output):
    agents: list[NamedAgent]
    count: int


def list_agents(tx: ReadTx, caller: Caller, arguments: ListAgents) -> dict[str, Any]:
    query = AgentFilter(**arguments.model_dump())
    project = arguments.project_id
    resolved = tx.services.get(Projects).resolve(tx, project) if project else None
    agents = queries.page(tx, query, resolved).load()
    profiles = tx.services.get(Profiles).rows(tx, [agent["id"] for agent in agents])
    for agent in agents:
        agent |= {name: profiles[agent["id"]][name] for name in ("name", "description")}
    return {"agents": agents, "count": len(agents)}


def create_agent(tx: WriteTx, caller: Caller, arguments: CreateAgent) -> JsonText:
    return service.create(tx, AgentCreate.model_validate(_given(arguments)))


def update_agent(tx: WriteTx, caller: Caller, arguments: UpdateAgent) -> JsonText:
    body = AgentUpdate.model_validate(_given(arguments))
    return service.update(tx, arguments.agent_id, body)


def _given(arguments: ToolInput) -> dict[str, Any]:
    """What was sent; null is as good as absent."""
    sent = arguments.model_dump(exclude_unset=True)
    return {name: value for name, value in sent.items() if value is not None}


TOOLS = (
    Tool(
        name="list_agents",
        title="List agents",
        description="List agents with their names, prompts and permissions, the newest first.",
        input=ListAgents,
        output=AgentList,
        run=list_agents,
        order=160,
    ),
    Tool(
        name="create_agent",
        title="Create an agent",
        description="Create an agent with its profile. It may be given only what you may yourself.",
        input=CreateAgent,
        output=Agent,
        run=create_agent,
        is_write=True,
        order=170,
    ),
    Tool(
        name="update_agent",
        title="Update an agent",
        description="Change the prompt, permissions or configuration of another agent.",
        input=UpdateAgent,
        output=Agent,
        run=update_agent,
        is_write=True,
        is_idempotent=True,
        order=180,
    ),
)
