"""/api/projects"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.projects import queries, service, setup
from kombuse_plugins.projects.schemas import (
    InitOptions,
    InitResult,
    Project,
    ProjectCreate,
    ProjectFilter,
    ProjectUpdate,
    SavedProject,
)
from kombuse_sdk.http import App, PathParam, ProjectId, Read, Router, Write

router = Router()
FolderOf = Annotated[str, PathParam(service.folder)]


@router.get("/projects", response_model=list[Project])
def list_projects(tx: Read, query: Annotated[ProjectFilter, Query()]) -> Any:
    return queries.page(tx, query)


@router.get("/projects/{project_id}", response_model=Project)
def get_project(tx: Read, project_id: ProjectId) -> Any:
    return service.get(tx, project_id)


@router.post("/projects", status_code=201, response_model=SavedProject)
async def create_project(kernel: App, body: ProjectCreate) -> Any:
    return await setup.create(kernel, body)


@router.patch("/projects/{project_id}", response_model=SavedProject)
async def update_project(kernel: App, project_id: str, body: ProjectUpdate) -> Any:
    return await setup.update(kernel, project_id, body)


@router.delete("/projects/{project_id}", status_code=204)
def delete_project(tx: Write, project_id: ProjectId) -> None:
    service.delete(tx, project_id)


@router.post("/projects/{project_id}/init", response_model=InitResult)
async def init_project(kernel: App, project_id: FolderOf, body: InitOptions | None = None) -> Any:
    return await setup.init(kernel, project_id, body or InitOptions())
