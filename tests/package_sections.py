"""Packages for tests of their sections, without the plugin that reads and installs archives."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kombuse_sdk.packages import Export, Installation, PackageContent, PackageSection
from kombuse_sdk.types import Kernel

__all__ = ["Kit", "agent_file", "brought"]


def agent_file(front_matter: str = "", prompt: str = "Work.", *, name: str = "Helper") -> bytes:
    return f"---\nname: {name}\n{front_matter}---\n\n{prompt}\n".encode()


def brought(installation: Installation, kind: str) -> dict[str, int]:
    """The counters of one kind of content."""
    prefix = f"{kind}_"
    return {
        name.removeprefix(prefix): number
        for name, number in installation.counters.items()
        if name.startswith(prefix)
    }


@dataclass
class Kit:
    """A package in a project, installed by the sections named, in `seconds` the last time."""

    kernel: Kernel
    project_id: str
    plugin_id: str = "plugin-1"
    name: str = "kit"
    sections: Sequence[str] = ("labels", "agents")
    is_enabled: bool = True
    is_installed: bool = field(default=False, init=False)
    seconds: float = field(default=0.0, init=False)

    def install(
        self, files: Mapping[str, bytes] | None = None, labels: Sequence[Mapping[str, Any]] = ()
    ) -> Installation:
        manifest = {"name": self.name, "kombuse": {"labels": [dict(label) for label in labels]}}
        content = PackageContent(manifest=manifest, files=files or {})
        installation = Installation(
            plugin_id=self.plugin_id,
            plugin_name=self.name,
            project_id=self.project_id,
            is_update=self.is_installed,
            is_enabled=self.is_enabled,
            content=content,
        )
        parsed = [(section, section.read(content)) for section in self._sections()]
        with self.kernel.db.write() as tx:
            start = time.thread_time()
            for section, part in parsed:
                section.install(tx, installation, part)
            self.seconds = time.thread_time() - start
        self.is_installed = True
        return installation

    def switch(self, is_enabled: bool) -> None:
        self.is_enabled = is_enabled
        with self.kernel.db.write() as tx:
            for section in self._sections():
                section.set_enabled(tx, self.plugin_id, is_enabled)

    def uninstall(self, mode: Any = "orphan") -> None:
        with self.kernel.db.write() as tx:
            for section in reversed(self._sections()):
                section.uninstall(tx, self.plugin_id, mode)
        self.is_installed = False

    def export(self, *agent_ids: str) -> Export:
        export = Export(
            project_id=self.project_id,
            plugin_id=self.plugin_id if self.is_installed else None,
            agent_ids=agent_ids or None,
            manifest={"name": self.name, "kombuse": {}},
        )
        with self.kernel.db.read() as tx:
            for section in self._sections():
                section.export(tx, export)
        return export

    def _sections(self) -> list[PackageSection[Any]]:
        offered = [section for _, section in self.kernel.offers("kombuse_package_sections")]
        wanted = [section for section in offered if section.name in self.sections]
        return sorted(wanted, key=lambda section: section.order)
