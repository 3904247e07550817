"""Projects for agents."""

from typing import Annotated, Any

from pydantic import Field

from kombuse_plugins.projects import queries
from kombuse_plugins.projects.schemas import Project, ProjectFilter
from kombuse_sdk.mcp import Caller, Tool, ToolInput
from kombuse_sdk.schemas import Output
from kombuse_sdk.storage import ReadTx

__all__ = ["TOOLS"]


class ListProjects(ToolInput):
    search: str | None = Field(None, description="Part of the name or the description")
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    offset: Annotated[int, Field(ge=0)] = 0


class ProjectList(Output):
    projects: list[Project]
    count: int


def list_projects(tx: ReadTx, caller: Caller, arguments: ListProjects) -> dict[str, Any]:
    found = queries.page(tx, ProjectFilter(**arguments.model_dump())).load()
    return {"projects": found, "count": len(found)}


TOOLS = (
    Tool(
        name="list_projects",
        title="List projects",
        description="List projects, newest first, optionally only those that match a search.",
        input=ListProjects,
        output=ProjectList,
        run=list_projects,
        order=80,
    ),
)
