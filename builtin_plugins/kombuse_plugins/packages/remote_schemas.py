"""Wire shapes of what feeds offer, of remote installations, and of publishing."""

from typing import Annotated, Literal

from pydantic import Field

from kombuse_plugins.packages.schemas import Author, Channel, CodeDigest, Flag, PackageName
from kombuse_sdk.schemas import ABSENT, Body, NonEmpty, Output, Query, QueryBool, Text

__all__ = [
    "Available",
    "AvailableFilter",
    "FeedAnswer",
    "PublishBody",
    "Published",
    "PullBody",
    "RemoteInstall",
    "UpdateCheck",
]

_Plain = Annotated[Text, Field(pattern=r"^\d+\.\d+\.\d+$")]
_WebAddress = Annotated[NonEmpty, Field(pattern=r"^https?://[^\s/?#@\\]+(/[^\s?#\\]*)?$")]


class AvailableFilter(Query):
    project_id: NonEmpty = Field(description="Id or slug")
    installed: QueryBool | None = Field(None, description="Only those that are, or are not")


class Available(Output):
    """A package that some feed offers; the first feed that knows its name decides."""

    name: str
    version: str
    description: str = ABSENT
    directory: str = ABSENT
    source: Literal["project", "global", "filesystem", "github", "http"]
    source_feed_id: str
    scope: Literal["project", "global", "bundled", "source", "default", "plugin"]
    installed: bool
    installed_version: str = ABSENT
    has_update: bool = ABSENT
    latest_version: str = Field(description="The highest of all feeds")
    also_in: list[str] = Field(description="Other feeds that have a package of this name")


class FeedAnswer(Output):
    """How one feed answered just now."""

    id: str
    name: str
    ok: bool
    error: str = ABSENT
    package_count: int
    took_ms: int


class RemoteInstall(Body):
    name: NonEmpty
    project_id: NonEmpty
    version: Text = Field(ABSENT, description="Exact, a range such as ^1.2, or @channel")
    channel: Channel = ABSENT
    feed_id: NonEmpty = Field(ABSENT, description="Of a source of the project: ask no other")
    overwrite: Flag = False
    allow_author_change: Flag = False
    allow_code: Flag = False
    code_sha256: CodeDigest = ABSENT
    allow_downgrade: Flag = False
    dry_run: Flag = False


class PullBody(Body):
    allow_code: Flag = Field(
        default=False, description="Let Python run that was not allowed before"
    )
    code_sha256: CodeDigest = ABSENT


class UpdateCheck(Output):
    plugin_id: str
    plugin_name: str
    has_update: bool
    current_version: str
    latest_version: str = ABSENT
    feed_id: str = ABSENT


class PublishBody(Body):
    package_name: PackageName
    project_id: NonEmpty
    author: Author
    registry_url: _WebAddress
    token: NonEmpty = Field(description="$NAME is looked up in the environment")
    agent_ids: list[NonEmpty] = Field(default=[])
    channel: Channel = ABSENT
    version: _Plain = ABSENT
    description: Text = ABSENT
    overwrite: Flag = True
    sign: Flag = Field(default=False, description="Sign with the key of this installation")


class Published(Output):
    author: str
    name: str
    version: str
    channel: str
    download_url: str | None
    checksum: str
    keyid: str | None = Field(description="The key that signed the upload")
    warnings: list[str]
