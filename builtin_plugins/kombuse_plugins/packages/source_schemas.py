"""Wire shapes of the sources that packages come from."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kombuse_sdk.schemas import ABSENT, Body, NonEmpty, Output, Query

__all__ = ["HIDDEN", "Source", "SourceFilter", "Sources", "SourcesUpdate"]

HIDDEN = "***"
"""What is shown instead of a token, and keeps the stored one when it is sent back."""

_Flag = Annotated[bool, Field(strict=True)]
_Token = Annotated[
    NonEmpty, Field(description="$NAME is looked up in the environment with every request")
]
_WebAddress = Annotated[
    NonEmpty, Field(pattern=r"^https?://[^\s/?#@\\]+(/[^\s?#\\]*)?$", max_length=2000)
]


class _Source(BaseModel):
    model_config = ConfigDict(extra="ignore")


class FilesystemSource(_Source):
    type: Literal["filesystem"]
    path: NonEmpty


class GitHubSource(_Source):
    type: Literal["github"]
    repo: Annotated[NonEmpty, Field(pattern=r"^[\w.-]+/[\w.-]+$", max_length=200)]
    package_name: NonEmpty = ABSENT
    token: _Token = ABSENT
    api_base: _WebAddress = ABSENT
    allow_insecure: _Flag = ABSENT


class HttpSource(_Source):
    type: Literal["http"]
    base_url: _WebAddress
    token: _Token = ABSENT
    public_keys: list[NonEmpty] = ABSENT
    allow_unverified: _Flag = ABSENT
    allow_insecure: _Flag = ABSENT


Source = Annotated[FilesystemSource | GitHubSource | HttpSource, Field(discriminator="type")]


class SourceFilter(Query):
    project_id: NonEmpty = Field(description="Id or slug")


class SourcesUpdate(Body):
    project_id: NonEmpty
    sources: list[Source] = Field(description="All sources of the project, in the order they count")


class Sources(Output):
    """In the order in which they are asked: the two folders, global, project, the registry."""

    global_sources: list[dict[str, Any]]
    project_sources: list[dict[str, Any]]
    default_sources: list[dict[str, Any]] = Field(description="These have a label too")
