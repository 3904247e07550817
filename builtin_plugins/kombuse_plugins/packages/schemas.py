"""Wire shapes of installed plugins, of their files, and of what an installation did."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kombuse_registry import names, versions
from kombuse_sdk.packages import Action
from kombuse_sdk.schemas import ABSENT, Body, NonEmpty, Output, Query, Text, issue_error

__all__ = [
    "COUNTERS",
    "CodeStatus",
    "ExportBody",
    "Exported",
    "FileFilter",
    "FileUpdate",
    "Install",
    "InstallResult",
    "ListedFile",
    "Plugin",
    "PluginFile",
    "PluginFilter",
    "PluginUpdate",
    "Uninstall",
]


def _checked(is_right: Callable[[str], bool], message: str) -> AfterValidator:
    def check(value: str) -> str:
        if not is_right(value):
            raise issue_error("invalid_format", message)
        return value

    return AfterValidator(check)


PackageName = Annotated[
    Text, _checked(names.is_package, "Expected lower-case words joined by hyphens")
]
Author = Annotated[
    Text, _checked(names.is_author, "Expected lower-case letters, digits and hyphens")
]
Channel = Annotated[Text, _checked(names.is_channel, "Expected lower-case letters and hyphens")]
Version = Annotated[Text, _checked(versions.is_version, "Expected a version such as 1.2.3")]
Flag = Annotated[bool, Field(strict=True)]
CodeDigest = Annotated[
    Text, Field(description="With allow_code: this code (of the refusal's details) and no other")
]


class ManifestLabel(BaseModel):
    name: str
    color: str
    description: str | None = None


class ManifestKombuse(Output):
    plugin_system_version: str
    exported_at: str
    labels: list[ManifestLabel]


class Manifest(Output):
    name: str
    version: str
    author: str = ABSENT
    description: str = ABSENT
    channel: str = ABSENT
    entry_point: str = ABSENT
    capabilities: list[str] = ABSENT
    kombuse: ManifestKombuse


class Plugin(Output):
    """A package that is installed in a project."""

    id: str
    project_id: str
    name: str
    version: str
    description: str | None
    directory: str = Field(description="The folder of the package, or where it was unpacked")
    manifest: Manifest
    is_enabled: bool
    installed_at: str
    updated_at: str
    source_feed_id: str | None = Field(description="The feed that it came from")
    source_name: str | None = Field(description="Its name there")
    checksum: str | None = Field(description="SHA-256 of the archive, in hexadecimal digits")
    code_sha256: str | None = Field(description="The Python in it that was allowed to run")


class CodeStatus(Output):
    """The Python of a plugin; `tool_changes` has {tool, before, after} while it needs a review."""

    status: Literal["none", "running", "stopped", "failed", "needs_review", "restart_required"]
    reason: str | None
    code_sha256: str | None
    entry_point: str | None
    capabilities: list[str]
    tool_changes: list[dict[str, Any]]


class PluginFilter(Query):
    project_id: NonEmpty | None = Field(None, description="Id or slug")


class PluginUpdate(Body):
    is_enabled: Flag = ABSENT


class Uninstall(Query):
    mode: Literal["orphan", "delete"] = Field(
        "orphan", description="orphan: what it brought stays; delete: its agents go"
    )


class Install(Body):
    package_path: NonEmpty = Field(description="A folder or a .tar.gz file on the server's machine")
    project_id: NonEmpty
    overwrite: Flag = False
    allow_author_change: Flag = False
    allow_code: Flag = Field(False, description="Let the Python in it run with the server's rights")
    code_sha256: CodeDigest = ABSENT
    dry_run: Flag = Field(False, description="Say what would happen, with status 200")


class Change(Output):
    kind: str
    action: Action
    name: str
    detail: str | None


class InstallResult(BaseModel):
    """Sections of other plugins add counters of their own."""

    model_config = ConfigDict(extra="allow")

    plugin_id: str
    plugin_name: str
    agents_created: int
    agents_updated: int
    agents_removed: int
    labels_created: int
    labels_merged: int
    labels_orphaned: int
    triggers_created: int
    triggers_updated: int
    triggers_removed: int
    files_imported: int
    files_preserved: int
    files_removed: int
    warnings: list[str]
    changes: list[Change] = Field(ABSENT, description="Only of a dry run")
    dry_run: bool = ABSENT


COUNTERS = tuple(
    name for name, info in InstallResult.model_fields.items() if info.annotation is int
)


class PluginFile(Output):
    """A text that a package brought. Agents of the package include it by its path."""

    id: int
    plugin_id: str
    path: str
    content: str
    content_hash: str = Field(description="SHA-256 of the content, in hexadecimal digits")
    is_user_modified: bool
    created_at: str
    updated_at: str


class ListedFile(PluginFile):
    content: str = Field(ABSENT, description="Left out with fields=meta")


class FileFilter(Query):
    fields: Literal["all", "meta"] = "all"


class FileUpdate(Body):
    content: Text


class ExportBody(Body):
    package_name: PackageName
    project_id: NonEmpty
    agent_ids: list[NonEmpty] = Field(
        default=[], description="When empty, those of the project and the global ones"
    )
    version: Version = Field(ABSENT, description="Otherwise that of the installed plugin, or 1.0.0")
    author: Author = ABSENT
    description: Text = ABSENT
    overwrite: Flag = False
    archive_format: Literal["tar.gz"] = "tar.gz"


class ExportedArchive(Output):
    path: str
    checksum: str
    size: int


class Exported(Output):
    package_name: str
    directory: str
    agent_count: int
    label_count: int
    file_count: int
    files: list[str]
    archive: ExportedArchive
    warnings: list[str]
