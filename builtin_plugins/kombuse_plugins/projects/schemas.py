"""Wire shapes of projects."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kombuse_plugins.projects.slugs import is_uuid
from kombuse_sdk.schemas import (
    ABSENT,
    Body,
    Id,
    Limit,
    NonEmpty,
    Offset,
    Output,
    Query,
    Slug,
    Text,
    issue_error,
)

__all__ = [
    "InitFile",
    "InitOptions",
    "InitResult",
    "Project",
    "ProjectCreate",
    "ProjectFilter",
    "ProjectUpdate",
    "SavedProject",
]


def _not_a_uuid(value: str) -> str:
    if is_uuid(value):
        raise issue_error("invalid_format", "A slug may not have the form of a UUID")
    return value


def _absolute(value: str) -> str:
    """Without a trailing slash, so that a folder has one spelling; empty stays empty."""
    if not value:
        return ""
    try:
        path = Path(value).expanduser()
    except RuntimeError:
        raise issue_error("invalid_format", "There is no such home directory") from None
    if not path.is_absolute() or "\0" in value:
        raise issue_error("invalid_format", "Expected an absolute path or one that begins with ~")
    return str(path)


ProjectSlug = Annotated[Slug, AfterValidator(_not_a_uuid)]
LocalPath = Annotated[Text, AfterValidator(_absolute)]
RepoSource = Literal["github", "gitlab", "bitbucket"]
Flag = Annotated[bool, Field(strict=True)]


class Project(Output):
    """The scope of tickets, labels, milestones and agents."""

    id: str
    name: str
    slug: str
    description: str | None
    owner_id: str
    local_path: str | None
    repo_source: RepoSource | None
    repo_owner: str | None
    repo_name: str | None
    created_at: str
    updated_at: str


class SavedProject(Project):
    warning: str = Field(ABSENT, description="What could not be set up in the project's folder")


class ProjectCreate(Body):
    name: NonEmpty
    owner_id: NonEmpty
    id: Id = ABSENT
    slug: ProjectSlug = ABSENT
    description: Text = ABSENT
    local_path: LocalPath = ABSENT
    repo_source: RepoSource = ABSENT
    repo_owner: Text = ABSENT
    repo_name: Text = ABSENT


class ProjectUpdate(Body):
    name: NonEmpty = ABSENT
    slug: ProjectSlug = ABSENT
    description: Text | None = None
    local_path: LocalPath | None = None
    repo_source: RepoSource | None = None
    repo_owner: Text | None = None
    repo_name: Text | None = None


class ProjectFilter(Query):
    owner_id: str | None = None
    repo_source: RepoSource | None = None
    search: str | None = None
    limit: Limit = 50
    offset: Offset = 0


class InitOptions(Body):
    """Steps to leave out."""

    skip_mcp_json: Flag = Field(default=False, alias="skipMcpJson")
    skip_agents_md: Flag = Field(default=False, alias="skipAgentsMd")
    skip_kombuse_dir: Flag = Field(default=False, alias="skipKombuseDir")
    skip_gitignore: Flag = Field(default=False, alias="skipGitignore")


class InitFile(Output):
    """What became of one file; `reason` says why it was not created."""

    file: str
    action: Literal["created", "skipped", "error"]
    reason: str = ABSENT


class InitResult(Output):
    project_path: str = Field(serialization_alias="projectPath")
    files: list[InitFile]
