"""Triggers of agents and of labels, /api/triggers, /api/invocations and process-event"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.triggers import dispatch, invocations, service
from kombuse_plugins.triggers.schemas import (
    AgentInvocation,
    AgentTrigger,
    InvocationFilter,
    Processed,
    ProcessEvent,
    SmartLabels,
    TriggerCreate,
    TriggerUpdate,
)
from kombuse_sdk.http import ProjectId, Read, Router, Write, integer_id

router = Router()
TriggerId = Annotated[int, integer_id("Invalid trigger ID")]
InvocationId = Annotated[int, integer_id("Invalid invocation ID")]
LabelId = Annotated[int, integer_id("Invalid label ID")]


@router.get("/agents/{agent_id}/triggers", response_model=list[AgentTrigger])
def list_triggers(tx: Read, agent_id: str) -> Any:
    return service.list_of_agent(tx, agent_id)


@router.post("/agents/{agent_id}/triggers", status_code=201, response_model=AgentTrigger)
def create_trigger(tx: Write, agent_id: str, body: TriggerCreate) -> Any:
    return service.create(tx, agent_id, body)


@router.get("/triggers/{trigger_id}", response_model=AgentTrigger)
def get_trigger(tx: Read, trigger_id: TriggerId) -> Any:
    return service.get(tx, trigger_id)


@router.patch("/triggers/{trigger_id}", response_model=AgentTrigger)
def update_trigger(tx: Write, trigger_id: TriggerId, body: TriggerUpdate) -> Any:
    return service.update(tx, trigger_id, body)


@router.delete("/triggers/{trigger_id}", status_code=204)
def delete_trigger(tx: Write, trigger_id: TriggerId) -> None:
    service.delete(tx, trigger_id)


@router.get("/labels/{label_id}/triggers", response_model=list[AgentTrigger])
def list_triggers_of_label(tx: Read, label_id: LabelId) -> Any:
    return service.of_label(tx, label_id)


@router.get("/projects/{project_id}/smart-label-ids", response_model=SmartLabels)
def list_smart_label_ids(tx: Read, project_id: ProjectId) -> Any:
    return service.smart_label_ids(tx, project_id)


@router.get("/invocations", response_model=list[AgentInvocation])
def list_invocations(tx: Read, query: Annotated[InvocationFilter, Query()]) -> Any:
    return invocations.page(tx, query)


@router.get("/invocations/{invocation_id}", response_model=AgentInvocation)
def get_invocation(tx: Read, invocation_id: InvocationId) -> Any:
    return invocations.get(tx, invocation_id)


@router.get("/agents/{agent_id}/invocations", response_model=list[AgentInvocation])
def list_invocations_of_agent(
    tx: Read, agent_id: str, query: Annotated[InvocationFilter, Query()]
) -> Any:
    service.require_agent(tx, agent_id, "Agent not found")
    return invocations.page(tx, query.model_copy(update={"agent_id": agent_id}))


@router.post("/agents/process-event", response_model=Processed)
def process_event(tx: Write, body: ProcessEvent) -> Any:
    return dispatch.process(tx, body.event_id)
