"""The agents of packages, with their profiles and triggers: one file below `agents/` for each."""

import re
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Literal

from kombuse_plugins.agents import package_install, queries, service
from kombuse_sdk.contracts import PackagedTriggers, Profiles
from kombuse_sdk.errors import BadRequest, Invalid, Unprocessable
from kombuse_sdk.packages import Export, Installation, PackageContent
from kombuse_sdk.storage import ReadTx, Row, WriteTx
from kombuse_sdk.types import Kernel

if TYPE_CHECKING:
    from kombuse_sdk.agent_files import AgentFile

__all__ = ["AgentSection"]

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class AgentSection:
    name = "agents"
    order = 30

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def read(self, content: PackageContent) -> "list[AgentFile]":
        from kombuse_sdk.agent_files import read_agent_files

        agents = read_agent_files(content.files)
        for path, agent in agents.items():
            self._check(path, agent)
        return list(agents.values())

    def install(
        self, tx: WriteTx, installation: Installation, parsed: "Sequence[AgentFile]"
    ) -> None:
        package_install.install(tx, installation, parsed)

    def set_enabled(self, tx: WriteTx, plugin_id: str, is_enabled: bool) -> None:
        """An agent or trigger that a person disabled stays so."""
        sql = """
            UPDATE agents
            SET is_enabled = :on, disabled_by_plugin = NOT :on, updated_at = :now
            WHERE plugin_id = :plugin AND iif(:on, disabled_by_plugin, is_enabled)
        """
        tx.execute(sql, {"plugin": plugin_id, "on": is_enabled, "now": tx.now})
        triggers = tx.services.find(PackagedTriggers)
        if triggers is not None:
            triggers.set_enabled(tx, plugin_id, is_enabled)

    def uninstall(self, tx: WriteTx, plugin_id: str, mode: Literal["orphan", "delete"]) -> None:
        """Agents that the package took over are given back in both modes."""
        for row in queries.of_plugin(tx, plugin_id):
            if row["adopted_from"] is not None:
                package_install.give_back(tx, row)
            elif mode == "delete":
                service.delete(tx, row["id"])
        sql = """
            UPDATE agents SET plugin_id = NULL, orphaned_plugin_id = plugin_id, updated_at = ?
            WHERE plugin_id = ?
        """
        tx.execute(sql, (tx.now, plugin_id))
        triggers = tx.services.find(PackagedTriggers)
        if triggers is not None:
            triggers.release(tx, plugin_id)
        tx.services.get(Profiles).release(tx, plugin_id)

    def export(self, tx: ReadTx, export: Export) -> None:
        """Unprocessable when an agent that is asked for does not exist."""
        from kombuse_plugins.agents.export import agent_file

        rows = _exported(tx, export)
        ids = [row["id"] for row in rows]
        profiles = tx.services.get(Profiles).rows(tx, ids)
        triggers = tx.services.find(PackagedTriggers)
        starts = triggers.portable_of(tx, export.project_id, ids) if triggers else {}
        for row, slug in zip(rows, _file_names(rows), strict=True):
            shown = {**row, "is_enabled": row["is_enabled"] or row["disabled_by_plugin"]}
            if row["slug"] is not None and row["slug"] != slug:
                shown["slug"] = slug
                export.warnings.append(f"Agent {row['slug']} was exported as {slug}")
            text = agent_file(shown, profiles[row["id"]], starts.get(row["id"], []))
            export.files[f"agents/{slug}.md"] = text.encode()
            export.counters["agents"] += 1

    def _check(self, path: str, agent: "AgentFile") -> None:
        triggers = self._kernel.services.find(PackagedTriggers)
        try:
            service.require_backend(self._kernel, agent.state()["config"])
            if triggers is not None:
                triggers.check(agent.triggers)
        except (Invalid, BadRequest) as error:
            raise BadRequest(f"Invalid agent file {path}: {error.message}") from None


def _exported(tx: ReadTx, export: Export) -> list[Row]:
    if export.agent_ids is None:
        return queries.usable_in(tx, export.project_id)
    rows = queries.exported(tx, export.agent_ids) if export.agent_ids else []
    if len(rows) != len(set(export.agent_ids)):
        raise Unprocessable.reference("agent_ids", "agent")
    return rows


def _file_names(rows: Sequence[Row]) -> list[str]:
    """The slug, where it is one and is not taken by an agent before; numbered or the id else."""
    names: dict[str, None] = {}
    for row in rows:
        slug = row["slug"]
        base = slug if slug is not None and _SLUG.fullmatch(slug) else row["id"]
        numbered = (f"{base}-{number}" if number > 1 else base for number in count(1))
        names[next(name for name in numbered if name not in names)] = None
    return list(names)
