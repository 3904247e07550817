"""Packages of agents, labels, files and code: what a plugin sees of one, and its part in them.

A package is a folder or .tar.gz with `.kombuse-plugin/plugin.json`. What it brings is divided into
sections (`kombuse_package_sections`), each of which one plugin reads, installs, removes and
exports. Whoever installs a package reads all sections first, then writes all in one transaction.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["Action", "Export", "Installation", "PackageContent", "PackageSection", "SectionChange"]

T = TypeVar("T")
Action = Literal[
    "created", "updated", "merged", "removed", "orphaned", "imported", "preserved", "unchanged"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageContent:
    """A package that was read whole; nothing of it is written yet.

    `manifest` is plugin.json with its defaults filled in and unknown keys kept; `files` has every
    regular file by its POSIX path from the root of the package, in byte order.
    """

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionChange:
    """One thing that an installation did; `kind` is a plural noun (`agents`)."""

    kind: str
    action: Action
    name: str
    detail: str | None = None


@dataclass(slots=True, kw_only=True)
class Installation:
    """What the sections share while one package is written into one project.

    `label_ids` maps every label name that triggers may use to its id: the labels section fills it.
    `is_enabled` is False while the installed plugin is disabled: new parts then start disabled.
    """

    plugin_id: str
    plugin_name: str
    project_id: str
    is_update: bool
    is_enabled: bool
    content: PackageContent
    label_ids: dict[str, int] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)
    changes: list[SectionChange] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def record(self, kind: str, action: Action, name: str, detail: str | None = None) -> None:
        """Count `<kind>_<action>` (`agents_created`) and remember the change for the report."""
        self.counters[f"{kind}_{action}"] += 1
        self.changes.append(SectionChange(kind=kind, action=action, name=name, detail=detail))


@dataclass(slots=True, kw_only=True)
class Export:
    """A package in the making: sections add to `manifest["kombuse"]`, `files` and `counters`.

    `plugin_id` is the installed plugin of the package's name in the project, if there is one;
    `agent_ids` None means the project's agents and the global ones.
    """

    project_id: str
    plugin_id: str | None
    agent_ids: tuple[str, ...] | None
    manifest: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)


class PackageSection(Protocol[T]):
    """One kind of content. `T` is what it makes of the package's files before writing.

    Sections are installed in ascending `order` (labels 10, files 20, agents 30) and removed in
    descending order. All methods but `read` run inside the one transaction of the operation.
    """

    @property
    def name(self) -> str: ...
    @property
    def order(self) -> int: ...

    def read(self, content: PackageContent) -> T:
        """Parse and check everything. BadRequest, naming file and reason, refuses the package."""
        ...

    def install(self, tx: WriteTx, installation: Installation, parsed: T) -> None:
        """Create, update and remove until the project has what the package brings.

        What the person changed since the last installation stays. Counts and tells what it did.
        """
        ...

    def set_enabled(self, tx: WriteTx, plugin_id: str, is_enabled: bool) -> None:
        """Disable all that the plugin brought, or give each its state from before that back."""
        ...

    def uninstall(self, tx: WriteTx, plugin_id: str, mode: Literal["orphan", "delete"]) -> None:
        """Leave everything behind without the plugin, or remove it with the plugin."""
        ...

    def export(self, tx: ReadTx, export: Export) -> None:
        """Add what the project has of this kind to a new package."""
        ...
