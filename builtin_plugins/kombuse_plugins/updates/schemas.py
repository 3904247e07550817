"""Bodies and answers of the update APIs, which have names in camel case."""

from typing import Any, Literal

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from kombuse_sdk.schemas import Body, NonEmpty, Output, Query, QueryBool
from kombuse_sdk.updates import State

__all__ = [
    "Check",
    "CheckResult",
    "Dismissal",
    "Done",
    "Info",
    "Install",
    "RolledBack",
    "Status",
    "Version",
]


class _Camel(Output):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Check(Body):
    """Only `true` forgets what the source answered before."""

    force: Any = None


class Install(Query, defer_build=True):
    """Whether to answer only when the update is installed."""

    wait: QueryBool = True


class Dismissal(Body):
    version: NonEmpty


class Info(_Camel):
    version: NonEmpty
    download_url: str
    checksum_url: NonEmpty | None = None
    release_url: NonEmpty | None = None
    release_notes: str | None
    published_at: str


class Status(_Camel):
    """`downloadProgress` is in percent, or -1 while the size is unknown."""

    state: State
    current_version: NonEmpty
    update_info: Info | None
    download_progress: float
    error: str | None
    bytes_downloaded: int | None = Field(default=None)
    dismissed: Literal[True] | None = Field(default=None)


class CheckResult(_Camel):
    has_update: bool
    update_info: Info | None
    current_version: NonEmpty


class Done(Output):
    success: Literal[True] = True
    state: Literal["downloading"] | None = None


class RolledBack(_Camel):
    success: Literal[True] = True
    current_version: NonEmpty


class Version(Output):
    model_config = ConfigDict(populate_by_name=True)

    version: NonEmpty
    path: str
    is_current: bool = Field(alias="isCurrent")
    installed_at: str
