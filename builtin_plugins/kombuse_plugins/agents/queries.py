"""Every SELECT over agents."""

import json
from collections.abc import Sequence

from kombuse_plugins.agents.presets import preset_json
from kombuse_plugins.agents.schemas import Agent, AgentFilter
from kombuse_sdk import Filter
from kombuse_sdk.schemas import QueryBool
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx, Row

__all__ = [
    "FILTERS",
    "exported",
    "id_by_slug",
    "ids_of_types",
    "in_scope",
    "one",
    "one_with_preset",
    "page",
    "page_with_presets",
    "row",
    "slug_is_taken",
    "types",
]

_WIRE = json_object(
    Agent,
    "a",
    permissions="json(a.permissions)",
    config="json(a.config)",
    plugin_base="json(a.plugin_base)",
)
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
    found = tx.one(f"SELECT {_WIRE}, a.config FROM agents a WHERE a.id = ?", (agent_id,))
    return None if found is None else JsonText(_with_preset(found).encode())


def row(tx: ReadTx, agent_id: str) -> Row | None:
    return tx.one("SELECT * FROM agents WHERE id = ?", (agent_id,))


def page(tx: ReadTx, query: AgentFilter, project_id: str | None) -> JsonText:
    """`project_id` is the query's project, resolved if it exists."""
    where = _where(query, project_id)
    return tx.json_list(f"SELECT {_WIRE} {_from(where)}", where.params)


def page_with_presets(tx: ReadTx, query: AgentFilter, project_id: str | None) -> JsonText:
    where = _where(query, project_id)
    rows = tx.all(f"SELECT {_WIRE}, a.config {_from(where)}", where.params)
    return JsonText(f"[{','.join(map(_with_preset, rows))}]".encode())


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


def _with_preset(found: Row) -> str:
    text: str = found[0]  # type: ignore[index]
    return f'{text[:-1]},"resolved_preset":{preset_json(found["config"])}}}'
