"""/api/projects/{project_id}/milestones and /api/milestones"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.milestones import queries, service
from kombuse_plugins.milestones.schemas import (
    Milestone,
    MilestoneCreate,
    MilestoneFilter,
    MilestoneUpdate,
    MilestoneWithStats,
)
from kombuse_sdk.http import ProjectId, Read, Router, Write, integer_id

router = Router()

_OF_PROJECT = "/projects/{project_id}/milestones"
MilestoneId = Annotated[int, integer_id("Invalid milestone ID")]


@router.get(_OF_PROJECT, response_model=list[MilestoneWithStats])
def list_milestones(
    tx: Read, project_id: ProjectId, query: Annotated[MilestoneFilter, Query()]
) -> Any:
    return queries.page(tx, project_id, query)


@router.post(_OF_PROJECT, status_code=201, response_model=Milestone)
def create_milestone(tx: Write, project_id: ProjectId, body: MilestoneCreate) -> Any:
    return service.create(tx, project_id, body)


@router.get("/milestones/{milestone_id}", response_model=MilestoneWithStats)
def get_milestone(tx: Read, milestone_id: MilestoneId) -> Any:
    return service.get(tx, milestone_id)


@router.patch("/milestones/{milestone_id}", response_model=Milestone)
def update_milestone(tx: Write, milestone_id: MilestoneId, body: MilestoneUpdate) -> Any:
    return service.update(tx, milestone_id, body)


@router.delete("/milestones/{milestone_id}", status_code=204)
def delete_milestone(tx: Write, milestone_id: MilestoneId) -> None:
    service.delete(tx, milestone_id)
