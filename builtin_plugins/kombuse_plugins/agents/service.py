"""Rules of agents; the provider of the Agents contract."""

import json
import uuid
from collections.abc import Mapping
from itertools import count
from typing import Any

from kombuse_plugins.agents import permissions, presets, queries, signals
from kombuse_plugins.agents.models import AgentRow
from kombuse_plugins.agents.schemas import AgentCreate, AgentFilter, AgentUpdate, BySlug
from kombuse_sdk.contracts import PackageFiles, Profiles, Projects, Sessions
from kombuse_sdk.contracts.agents import Agent, Preset
from kombuse_sdk.errors import Conflict, Invalid, NotFound, issue
from kombuse_sdk.schemas import slugify
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx
from kombuse_sdk.types import Kernel

__all__ = [
    "allows_tool",
    "approve_always",
    "by_slug",
    "create",
    "default_preset",
    "delete",
    "find_by_slug",
    "get",
    "has_orphans",
    "json_text",
    "listing",
    "may_invoke_agents",
    "of_types",
    "page",
    "require_backend",
    "reset",
    "settings",
    "show",
    "types",
    "update",
]

types = queries.types
of_types = queries.ids_of_types
has_orphans = queries.has_orphans
_LONGEST_SLUG = 100
_BACKENDS = ("claude-code", "codex", "mock")  # valid whether their plugins are active or not
_OVERRIDES = {
    "tool": "auto_approved_tools_override",
    "bash": "auto_approved_bash_commands_override",
}


def page(tx: ReadTx, query: AgentFilter) -> JsonText:
    """An unknown project has the global agents alone."""
    return queries.page_with_presets(tx, query, _resolved(tx, query.project_id))


def show(tx: ReadTx, agent_id: str) -> JsonText:
    return NotFound.unless(queries.one_with_preset(tx, agent_id), "Agent")


def by_slug(tx: ReadTx, slug: str, query: BySlug) -> JsonText:
    project_id = _resolved(tx, query.project_id)
    found = queries.id_by_slug(tx, slug, plugin_id=query.plugin_id, project_id=project_id)
    return show(tx, found or "")


def create(tx: WriteTx, body: AgentCreate) -> JsonText:
    """The agent and its profile; a profile of type agent that is there already is taken over."""
    values = body.model_dump(exclude_unset=True)
    require_backend(tx.kernel, values.get("config", {}))
    project_id = None
    if "project_id" in values:
        project_id = NotFound.unless(_resolved(tx, body.project_id), "Project")
    agent_id = values.get("id") or str(uuid.uuid4())
    if queries.row(tx, agent_id) is not None:
        raise Conflict(f"Agent {agent_id} already exists")
    slug = _free_slug(tx, body, project_id)
    tx.services.get(Profiles).save_agent(tx, agent_id, name=body.name, description=body.description)
    tx.insert(
        AgentRow,
        id=agent_id,
        slug=slug,
        system_prompt=body.system_prompt,
        permissions=json_text(values.get("permissions", [])),
        config=json_text(values.get("config", {})),
        is_enabled=body.is_enabled,
        project_id=project_id,
        created_at=tx.now,
        updated_at=tx.now,
    )
    signals.updated(tx, agent_id, project_id, "created")
    return _plain(tx, agent_id)


def update(tx: WriteTx, agent_id: str, body: AgentUpdate) -> JsonText:
    """`permissions` and `config` replace what is stored. The same values change nothing."""
    row = _require_row(tx, agent_id)
    given = body.model_dump(exclude_unset=True)
    now = settings(row)
    require_backend(tx.kernel, given.get("config", {}), now["config"])
    changes = _differing(given, now)
    if "is_enabled" in given and row["disabled_by_plugin"]:
        changes["disabled_by_plugin"] = False
    _store(tx, agent_id, changes)
    return _plain(tx, agent_id)


def reset(tx: WriteTx, agent_id: str) -> JsonText:
    """Back to what the package brought; while that is disabled, the agent is not enabled."""
    row = _require_row(tx, agent_id)
    if row["plugin_base"] is None:
        raise Conflict(f"Agent {agent_id} has no plugin defaults to reset to")
    base = json.loads(row["plugin_base"])
    now = settings(row)
    given = {name: base[name] for name in now if name in base}
    if row["disabled_by_plugin"] and "is_enabled" in given:
        given["disabled_by_plugin"] = given["is_enabled"]
        given["is_enabled"] = False
        now["disabled_by_plugin"] = True
    _store(tx, agent_id, _differing(given, now))
    return show(tx, agent_id)


def delete(tx: WriteTx, agent_id: str) -> None:
    """With its triggers and invocations; its live runs are stopped. What it wrote stays."""
    row = _require_row(tx, agent_id)
    tx.delete(AgentRow, agent_id)
    signals.updated(tx, agent_id, row["project_id"], "deleted")
    tx.services.get(Profiles).deactivate(tx, agent_id)
    files = tx.services.find(PackageFiles)
    if files is not None and row["orphaned_plugin_id"] is not None:
        files.release(tx, row["orphaned_plugin_id"])
    sessions = tx.services.find(Sessions)
    if sessions is not None:
        tx.after_commit(lambda: _stop(sessions, agent_id))


def get(tx: ReadTx, agent_id: str) -> Agent | None:
    row = queries.row(tx, agent_id)
    if row is None:
        return None
    config = json.loads(row["config"])
    package_id = row["plugin_id"] or row["orphaned_plugin_id"]
    return Agent(
        id=agent_id,
        name=tx.services.get(Profiles).name(tx, agent_id) or agent_id,
        slug=row["slug"],
        system_prompt=row["system_prompt"],
        config=config,
        permissions=tuple(json.loads(row["permissions"])),
        is_enabled=bool(row["is_enabled"]),
        project_id=row["project_id"],
        plugin_id=row["plugin_id"],
        package_id=package_id,
        preset=presets.resolve(config, presets.of_packages(tx)(package_id, config)),
    )


def find_by_slug(tx: ReadTx, slug: str, project_id: str | None) -> str | None:
    return queries.id_by_slug(tx, slug, project_id=project_id, only_in_scope=True)


def approve_always(tx: WriteTx, agent_id: str, kind: str, value: str) -> None:
    config = json.loads(_require_row(tx, agent_id)["config"])
    approved = config.setdefault(_OVERRIDES[kind], [])
    if value not in approved:
        approved.append(value)
        _store(tx, agent_id, {"config": config})


def may_invoke_agents(tx: ReadTx, profile_id: str) -> bool:
    row = queries.row(tx, profile_id)
    return row is None or json.loads(row["config"]).get("can_invoke_agents") is not False


def default_preset() -> Preset:
    return presets.resolve({})


def allows_tool(agent: Agent, tool: str, project_id: str | None) -> bool:
    return permissions.allows_tool(agent.permissions, tool, project_id)


def listing(tx: ReadTx, project_id: str | None) -> list[dict[str, Any]]:
    found = queries.in_scope(tx, project_id)
    profiles = tx.services.get(Profiles).rows(tx, [row["id"] for row in found])
    return [
        {
            "id": row["id"],
            "name": profile["name"],
            "description": profile["description"],
            "slug": row["slug"],
        }
        for row in found
        if (profile := profiles[row["id"]])["is_active"]
    ]


def _stop(sessions: Sessions, agent_id: str) -> None:
    sessions.stop_agent(agent_id)


def _resolved(tx: ReadTx, project: str | None) -> str | None:
    return None if project is None else tx.services.get(Projects).resolve(tx, project)


def _free_slug(tx: ReadTx, body: AgentCreate, project_id: str | None) -> str:
    """The slug asked for or made of the name; names without letters are numbered."""
    slug = body.slug or slugify(body.name)[:_LONGEST_SLUG].rstrip("-")
    if not slug:
        numbered = (f"agent-{number}" if number > 1 else "agent" for number in count(1))
        return next(s for s in numbered if not queries.slug_is_taken(tx, s, project_id))
    if queries.slug_is_taken(tx, slug, project_id):
        raise Conflict(f"Agent with slug '{slug}' already exists")
    return slug


def require_backend(
    kernel: Kernel, config: Mapping[str, Any], now: Mapping[str, Any] | None = None
) -> None:
    """One that is stored may stay when its plugin is gone."""
    name = config.get("backend_type")
    if name is None or name == (now or {}).get("backend_type"):
        return
    offered = (backend.name for _, backend in kernel.offers("kombuse_agent_backends"))
    known = sorted({*_BACKENDS, *offered})
    if name not in known:
        message = f"Expected one of {', '.join(json.dumps(item) for item in known)}"
        raise Invalid(issue("invalid_value", ["config", "backend_type"], message, values=known))


def _require_row(tx: ReadTx, agent_id: str) -> Row:
    row = queries.row(tx, agent_id)
    if row is None:
        raise NotFound(f"Agent {agent_id} not found")
    return row


def _plain(tx: ReadTx, agent_id: str) -> JsonText:
    found = queries.one(tx, agent_id)
    assert found is not None
    return found


def settings(row: Row) -> dict[str, Any]:
    return {
        "system_prompt": row["system_prompt"],
        "permissions": json.loads(row["permissions"]),
        "config": json.loads(row["config"]),
        "is_enabled": bool(row["is_enabled"]),
    }


def _differing(given: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON, where 1 is not true."""
    return {
        name: value for name, value in given.items() if json_text(value) != json_text(now[name])
    }


def _store(tx: WriteTx, agent_id: str, changes: Mapping[str, Any]) -> None:
    if changes:
        texts = {
            name: value if isinstance(value, str | bool) else json_text(value)
            for name, value in changes.items()
        }
        tx.update(AgentRow, agent_id, **texts, updated_at=tx.now)
        signals.updated(tx, agent_id, _require_row(tx, agent_id)["project_id"])


def json_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
