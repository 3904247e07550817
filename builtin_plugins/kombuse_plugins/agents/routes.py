"""/api/agents"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.agents import service
from kombuse_plugins.agents.schemas import (
    AgentCreate,
    AgentFilter,
    AgentSaved,
    AgentUpdate,
    AgentWithPreset,
    BySlug,
    Export,
    Exported,
)
from kombuse_plugins.agents.warnings import warned
from kombuse_sdk.http import Db, Read, Router, Write

router = Router()


@router.get("/agents", response_model=list[AgentWithPreset])
def list_agents(tx: Read, query: Annotated[AgentFilter, Query()]) -> Any:
    return service.page(tx, query)


@router.post("/agents", status_code=201, response_model=AgentSaved)
def create_agent(tx: Write, body: AgentCreate) -> Any:
    return warned(tx, service.create(tx, body), body)


@router.post("/agents/export", response_model=Exported)
async def export_agents(db: Db, body: Export) -> Any:
    from kombuse_plugins.agents import export

    return await export.run(db, body)


@router.get("/agents/by-slug/{slug}", response_model=AgentWithPreset)
def get_agent_by_slug(tx: Read, slug: str, query: Annotated[BySlug, Query()]) -> Any:
    return service.by_slug(tx, slug, query)


@router.get("/agents/{agent_id}", response_model=AgentWithPreset)
def get_agent(tx: Read, agent_id: str) -> Any:
    return service.show(tx, agent_id)


@router.patch("/agents/{agent_id}", response_model=AgentSaved)
def update_agent(tx: Write, agent_id: str, body: AgentUpdate) -> Any:
    return warned(tx, service.update(tx, agent_id, body), body)


@router.post("/agents/{agent_id}/reset-to-plugin-defaults", response_model=AgentWithPreset)
def reset_agent(tx: Write, agent_id: str) -> Any:
    return service.reset(tx, agent_id)


@router.delete("/agents/{agent_id}", status_code=204)
def delete_agent(tx: Write, agent_id: str) -> None:
    service.delete(tx, agent_id)
