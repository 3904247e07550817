"""Every SELECT over agents."""

import json
from collections.abc import Iterable, Iterator, Sequence

from kombuse_plugins.agents.presets import of_packages, preset_json
from kombuse_plugins.agents.schemas import Agent, AgentFilter
from kombuse_sdk import Filter
from kombuse_sdk.schemas import QueryBool
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import Params, ReadTx, Row

__all__ = [
    "FILTERS",
    "exported",
    "has_orphans",
    "id_by_slug",
    "ids_of_types",
    "ids_with_agent",
    "in_scope",
    "of_plugin",
    "of_project",
    "one",
    "one_with_preset",
    "page",
    "page_with_presets",
    "row",
    "slug_is_taken",
    "types",
    "usable_in",
]

_WIRE = json_object(
    Agent,
    "a",
    permissions="json(a.permissions)",
    config="json(a.config)",
    plugin_base="json(a.plugin_base)",
)
_PRESET = "a.config, ifnull(a.plugin_id, a.orphaned_plugin_id) AS package_id"
_ORDER = "ORDER BY a.created_at DESC, a.id DESC"
_IN_SCOPE = "(a.project_id IS NULL OR a.project_id = :project_id)"

FILTERS = (
    Filter(
        param="has_agent",
        type=QueryBool,
        sql="(p.id IN (SELECT id FROM agents)) = :has_agent",
        description="Only profiles that have an agent, or only those that have none",
    ),
    Filter(
        param="project_id",
        type=str,
        sql="""
            NOT EXISTS (
                SELECT 1 FROM agents a JOIN projects pr ON pr.id = a.project_id
                WHERE a.id = p.id AND :project_id NOT IN (pr.id, pr.slug)
            )
        """,
        description="Without the agents of other projects",
    ),
)


def one(tx: ReadTx, agent_id: str) -> JsonText | None:
    return tx.json(f"SELECT {_WIRE} FROM agents a WHERE a.id = ?", (agent_id,))


def one_with_preset(tx: ReadTx, agent_id: str) -> JsonText | None:
    sql = f"SELECT {_WIRE}, {_PRESET} FROM agents a WHERE a.id = ?"
    return next((JsonText(text.encode()) for text in _with_presets(tx, sql, (agent_id,))), None)


def row(tx: ReadTx, agent_id: str) -> Row | None:
    return tx.one("SELECT * FROM agents WHERE id = ?", (agent_id,))


def page(tx: ReadTx, query: AgentFilter, project_id: str | None) -> JsonText:
    """`project_id` is the query's project, resolved if it exists."""
    where = _where(query, project_id)
    return tx.json_list(f"SELECT {_WIRE} {_from(where)}", where.params)


def page_with_presets(tx: ReadTx, query: AgentFilter, project_id: str | None) -> JsonText:
    where = _where(query, project_id)
    found = _with_presets(tx, f"SELECT {_WIRE}, {_PRESET} {_from(where)}", where.params)
    return JsonText(f"[{','.join(found)}]".encode())


def id_by_slug(
    tx: ReadTx,
    slug: str,
    *,
    plugin_id: str | None = None,
    project_id: str | None = None,
    only_in_scope: bool = False,
) -> str | None:
    """Agents of the project first, then global ones, then those of others (unless left out)."""
    where = Where(["a.slug = :slug"], {"slug": slug, "project_id": project_id})
    where.equal("a.plugin_id", plugin_id=plugin_id)
    if only_in_scope:
        where.add(_IN_SCOPE)
    sql = f"""
        SELECT a.id FROM agents a {where.sql}
        ORDER BY a.project_id IS :project_id DESC, a.project_id IS NOT NULL,
            a.plugin_id IS NOT NULL, a.created_at, a.id LIMIT 1
    """
    found: str | None = tx.value(sql, where.params)
    return found


def slug_is_taken(tx: ReadTx, slug: str, project_id: str | None) -> bool:
    """In the project; for a global agent anywhere, for it is found from everywhere."""
    where = Where(["a.slug = :slug"], {"slug": slug})
    where.equal("a.project_id", project_id=project_id)
    return tx.value(f"SELECT 1 FROM agents a {where.sql}", where.params) is not None


def types(tx: ReadTx, agent_ids: Sequence[str]) -> dict[str, str | None]:
    sql = "SELECT id, type FROM agents WHERE id IN (SELECT value FROM json_each(?))"
    return {found["id"]: found["type"] for found in tx.all(sql, (json.dumps(agent_ids),))}


def ids_of_types(tx: ReadTx, types: Sequence[str]) -> list[str]:
    sql = "SELECT id FROM agents WHERE type IN (SELECT value FROM json_each(?)) ORDER BY id"
    return tx.values(sql, (json.dumps(types),))


def in_scope(tx: ReadTx, project_id: str | None) -> list[Row]:
    """id and slug of the enabled agents that may work in a project; without one, of all."""
    where = Where(["a.is_enabled"], {"project_id": project_id})
    if project_id is not None:
        where.add(_IN_SCOPE)
    return tx.all(f"SELECT a.id, a.slug FROM agents a {where.sql} {_ORDER}", where.params)


def of_project(tx: ReadTx, project_id: str) -> list[Row]:
    return tx.all(
        "SELECT * FROM agents WHERE project_id = ? ORDER BY created_at, id", (project_id,)
    )


def of_plugin(tx: ReadTx, plugin_id: str) -> list[Row]:
    return tx.all("SELECT * FROM agents WHERE plugin_id = ? ORDER BY created_at, id", (plugin_id,))


def ids_with_agent(tx: ReadTx, profile_ids: Iterable[str]) -> set[str]:
    """Those of the profiles that have an agent."""
    sql = "SELECT id FROM agents WHERE id IN (SELECT value FROM json_each(?))"
    return set(tx.values(sql, (json.dumps(list(profile_ids)),)))


def has_orphans(tx: ReadTx, plugin_id: str) -> bool:
    sql = "SELECT 1 FROM agents WHERE orphaned_plugin_id = ? LIMIT 1"
    return tx.value(sql, (plugin_id,)) is not None


def exported(tx: ReadTx, agent_ids: Sequence[str]) -> list[Row]:
    """Global agents come first, then those of projects, each in the order of their making."""
    where = Where()
    if agent_ids:
        where.add("a.id IN (SELECT value FROM json_each(:ids))", ids=json.dumps(agent_ids))
    sql = f"""
        SELECT * FROM agents a {where.sql}
        ORDER BY a.project_id IS NOT NULL, a.created_at, a.id
    """
    return tx.all(sql, where.params)


def usable_in(tx: ReadTx, project_id: str) -> list[Row]:
    """The agents of a project and the global ones, by slug."""
    sql = f"SELECT * FROM agents a WHERE {_IN_SCOPE} ORDER BY a.slug, a.project_id IS NULL, a.id"
    return tx.all(sql, {"project_id": project_id})


def _where(query: AgentFilter, project_id: str | None) -> Where:
    where = Where(params={"limit": query.limit, "offset": query.offset})
    where.equal("a.is_enabled", is_enabled=query.is_enabled)
    where.equal(
        "ifnull(a.config ->> '$.enabled_for_chat', 0)", enabled_for_chat=query.enabled_for_chat
    )
    if query.project_id is not None:
        where.add(_IN_SCOPE, project_id=project_id)
    return where


def _from(where: Where) -> str:
    return f"FROM agents a {where.sql} {_ORDER} LIMIT :limit OFFSET :offset"


def _with_presets(tx: ReadTx, sql: str, params: Params) -> Iterator[str]:
    packaged = of_packages(tx)
    for found in tx.all(sql, params):
        text: str = found[0]  # type: ignore[index]
        config, package_id = found["config"], found["package_id"]
        base = packaged(package_id, json.loads(config)) if package_id else None
        yield f'{text[:-1]},"resolved_preset":{preset_json(config, base)}}}'
