"""Installing the agents of a package: which is which, and what becomes of those that are there."""

import json
import uuid
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from kombuse_plugins.agents import queries, service
from kombuse_plugins.agents.models import AgentRow
from kombuse_plugins.agents.package_merge import merged
from kombuse_sdk.contracts import PackagedTriggers, PackageFiles, Profiles
from kombuse_sdk.contracts.invocations import AgentTriggers
from kombuse_sdk.contracts.profiles import PackageOrigin
from kombuse_sdk.packages import Installation
from kombuse_sdk.storage import ReadTx, Row, WriteTx

if TYPE_CHECKING:
    from kombuse_sdk.agent_files import AgentFile

__all__ = ["give_back", "install"]

_OF_PROFILE = ("name", "description", "slug", "avatar_url")
_OF_PACKAGE = ("plugin_base", "plugin_name", "package_slug", "orphaned_plugin_id")


def install(tx: WriteTx, installation: Installation, agents: "Sequence[AgentFile]") -> None:
    present = _Present(tx, installation)
    placed = [(agent, _place(tx, installation, present, agent)) for agent in agents]
    _remove(tx, installation, present.unused())
    triggers = tx.services.find(PackagedTriggers)
    if triggers is not None:
        wanted = [
            AgentTriggers(agent_id=agent_id, package_slug=agent.slug, triggers=agent.triggers)
            for agent, agent_id in placed
        ]
        triggers.install(tx, installation, wanted)
    elif any(agent.triggers for agent in agents):
        installation.warnings.append("The triggers of the agents were left out: triggers are off")


def give_back(tx: WriteTx, row: Row) -> None:
    """Make an agent what it was before its package took it over."""
    was = json.loads(row["adopted_from"])
    triggers = tx.services.find(PackagedTriggers)
    if triggers is not None:
        triggers.remove(tx, row["plugin_id"], [row["id"]])
    tx.services.get(Profiles).give_back(tx, row["id"], **was.pop("profile"))
    values = was | {name: service.json_text(was[name]) for name in ("permissions", "config")}
    values |= {"plugin_id": None, "disabled_by_plugin": False, "adopted_from": None}
    tx.update(AgentRow, row["id"], **values, updated_at=tx.now)


class _Present:
    """The agents of a project while a package is installed, read at once."""

    def __init__(self, tx: ReadTx, installation: Installation) -> None:
        rows = queries.of_project(tx, installation.project_id)
        self._own = [row for row in rows if row["plugin_id"] == installation.plugin_id]
        free = [row for row in rows if row["plugin_id"] is None]
        left = [row for row in free if row["plugin_name"] == installation.plugin_name]
        self._by_slug = {row["slug"]: row for row in free}
        self._by_slug |= {row["package_slug"]: row for row in (*left, *self._own)}
        self._taken = {row["slug"] for row in rows}
        self._used: set[str] = set()
        profiles = tx.services.get(Profiles)
        known = profiles.of_package(tx, installation.project_id, installation.plugin_name)
        busy = queries.ids_with_agent(tx, known.values())
        self._profiles = {slug: known[slug] for slug in known if known[slug] not in busy}

    def take(self, slug: str) -> Row | None:
        """The agent of a slug in the package: its own, one that it left, or nobody's."""
        row = self._by_slug.get(slug)
        if row is None or row["id"] in self._used:
            return None
        self._used.add(row["id"])
        return row

    def free_slug(self, slug: str) -> str:
        numbered = (f"{slug}-{number}" if number > 1 else slug for number in count(1))
        free = next(other for other in numbered if other not in self._taken)
        self._taken.add(free)
        return free

    def profile_id(self, slug: str) -> str:
        """What an agent of this package and slug had before it was deleted, or a new one."""
        return self._profiles.get(slug) or str(uuid.uuid4())

    def unused(self) -> list[Row]:
        return [row for row in self._own if row["id"] not in self._used]


def _place(tx: WriteTx, installation: Installation, present: _Present, agent: "AgentFile") -> str:
    row = present.take(agent.slug)
    if row is not None:
        _update(tx, installation, agent, row)
        agent_id: str = row["id"]
        return agent_id
    slug = present.free_slug(agent.slug)
    if slug != agent.slug:
        installation.warnings.append(
            f"Agent {agent.slug} was installed as {slug}, because another plugin owns {agent.slug}"
        )
    agent_id = present.profile_id(slug)
    _save_profile(tx, installation, agent, agent_id, slug)
    values = _columns(installation, agent, agent.state())
    times = {"created_at": tx.now, "updated_at": tx.now}
    tx.insert(AgentRow, id=agent_id, slug=slug, **values, **times)
    installation.record("agents", "created", slug)
    return agent_id


def _update(tx: WriteTx, installation: Installation, agent: "AgentFile", row: Row) -> None:
    now = service.settings(row)
    now["is_enabled"] = bool(row["is_enabled"] or row["disabled_by_plugin"])
    base = json.loads(row["plugin_base"] or "null")
    values = _columns(installation, agent, merged(base, now, agent.state()))
    is_left = row["plugin_id"] is None and row["plugin_name"] == installation.plugin_name
    if row["plugin_id"] is None and not is_left:
        values["adopted_from"] = service.json_text(_before(tx, row, now))
    _save_profile(tx, installation, agent, row["id"], row["slug"])
    changes = {name: value for name, value in values.items() if value != row[name]}
    if changes:
        tx.update(AgentRow, row["id"], **changes, updated_at=tx.now)
    files = tx.services.find(PackageFiles)
    if is_left and files is not None and row["orphaned_plugin_id"] is not None:
        files.release(tx, row["orphaned_plugin_id"])
    installation.record("agents", "updated", row["slug"])


def _before(tx: ReadTx, row: Row, state: Mapping[str, Any]) -> dict[str, Any]:
    """What `give_back` restores."""
    profile = tx.services.get(Profiles).rows(tx, [row["id"]])[row["id"]]
    of_package = {name: row[name] for name in _OF_PACKAGE}
    return {**state, **of_package, "profile": {name: profile[name] for name in _OF_PROFILE}}


def _columns(
    installation: Installation, agent: "AgentFile", state: Mapping[str, Any]
) -> dict[str, Any]:
    is_enabled = state["is_enabled"]
    return {
        "system_prompt": state["system_prompt"],
        "permissions": service.json_text(state["permissions"]),
        "config": service.json_text(state["config"]),
        "is_enabled": is_enabled and installation.is_enabled,
        "disabled_by_plugin": is_enabled and not installation.is_enabled,
        "plugin_id": installation.plugin_id,
        "plugin_name": installation.plugin_name,
        "package_slug": agent.slug,
        "orphaned_plugin_id": None,
        "project_id": installation.project_id,
        "plugin_base": service.json_text(agent.state()),
    }


def _save_profile(
    tx: WriteTx, installation: Installation, agent: "AgentFile", agent_id: str, slug: str
) -> None:
    tx.services.get(Profiles).save_agent(
        tx,
        agent_id,
        name=agent.name,
        description=agent.description,
        slug=slug,
        avatar_url=agent.avatar,
        origin=PackageOrigin(
            plugin_id=installation.plugin_id,
            plugin_name=installation.plugin_name,
            project_id=installation.project_id,
        ),
    )


def _remove(tx: WriteTx, installation: Installation, rows: Sequence[Row]) -> None:
    """Agents that the package no longer has: deleted, or given back to whom they were taken."""
    triggers = tx.services.find(PackagedTriggers)
    ids = [row["id"] for row in rows]
    for slug in triggers.remove(tx, installation.plugin_id, ids) if triggers else ():
        installation.record("triggers", "removed", slug)
    for row in rows:
        if row["adopted_from"] is not None:
            give_back(tx, row)
            installation.record("agents", "orphaned", row["slug"])
        else:
            service.delete(tx, row["id"])
            installation.record("agents", "removed", row["slug"])
