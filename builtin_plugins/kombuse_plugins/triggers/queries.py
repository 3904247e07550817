"""Every SELECT over triggers and invocations."""

import json
from collections.abc import Collection
from typing import Any

from kombuse_plugins.triggers.schemas import AgentInvocation, AgentTrigger, InvocationFilter
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx, Row

__all__ = [
    "active_id",
    "actor_id",
    "brought",
    "caused_by_agents",
    "event",
    "has_run",
    "invocation",
    "invocation_of_event",
    "invocation_row",
    "invocations",
    "invocations_by_id",
    "is_awaited",
    "label_ids",
    "newest_of_session",
    "next_due",
    "next_pending",
    "of_plugin",
    "running_by_agent",
    "running_of_session",
    "slug_clashes",
    "slug_is_taken",
    "stops",
    "trigger",
    "trigger_row",
    "triggers_for",
    "triggers_of_agent",
    "triggers_of_agents",
    "triggers_of_label",
]

_TRIGGER = json_object(
    AgentTrigger,
    "t",
    conditions="json(t.conditions)",
    allowed_invokers="json(t.allowed_invokers)",
)
_INVOCATION = json_object(AgentInvocation, "i", context="json(i.context)", result="json(i.result)")


def trigger(tx: ReadTx, trigger_id: int) -> JsonText | None:
    return tx.json(f"SELECT {_TRIGGER} FROM agent_triggers t WHERE t.id = ?", (trigger_id,))


def trigger_row(tx: ReadTx, trigger_id: int) -> Row | None:
    return tx.one("SELECT * FROM agent_triggers WHERE id = ?", (trigger_id,))


def triggers_of_agent(tx: ReadTx, agent_id: str) -> JsonText:
    sql = f"""
        SELECT {_TRIGGER} FROM agent_triggers t WHERE t.agent_id = ?
        ORDER BY t.priority DESC, t.created_at DESC, t.id DESC
    """
    return tx.json_list(sql, (agent_id,))


def triggers_of_label(tx: ReadTx, label_id: int) -> JsonText:
    sql = f"""
        SELECT {_TRIGGER} FROM agent_triggers t WHERE t.label_id = ?
        ORDER BY t.created_at DESC, t.id DESC
    """
    return tx.json_list(sql, (label_id,))


def triggers_for(tx: ReadTx, event_type: str, project_id: str | None) -> list[Row]:
    """Enabled ones for events of a type in a project, in the order in which they are served."""
    sql = """
        SELECT * FROM agent_triggers
        WHERE event_type = ? AND is_enabled = 1 AND (project_id IS NULL OR project_id = ?)
        ORDER BY priority DESC, created_at DESC, id DESC
    """
    return tx.all(sql, (event_type, project_id))


def label_ids(tx: ReadTx, project_id: str, agent_ids: Collection[str]) -> list[int]:
    """What conditions of enabled triggers of these agents name, in the project or in all."""
    sql = """
        SELECT DISTINCT label_id FROM agent_triggers
        WHERE label_id IS NOT NULL AND is_enabled AND (project_id IS NULL OR project_id = ?)
            AND agent_id IN (SELECT value FROM json_each(?))
    """
    return tx.values(sql, (project_id, json.dumps(list(agent_ids))))


def slug_is_taken(tx: ReadTx, agent_id: str, slug: str) -> bool:
    sql = "SELECT 1 FROM agent_triggers WHERE agent_id = ? AND slug = ? AND plugin_id IS NULL"
    return tx.value(sql, (agent_id, slug)) is not None


def triggers_of_agents(tx: ReadTx, agent_ids: Collection[str]) -> list[Row]:
    """Those of one agent as `triggers_of_agent` has them."""
    sql = """
        SELECT * FROM agent_triggers WHERE agent_id IN (SELECT value FROM json_each(?))
        ORDER BY agent_id, priority DESC, created_at DESC, id DESC
    """
    return tx.all(sql, (json.dumps(list(agent_ids)),))


def brought(tx: ReadTx, plugin_name: str, plugin_id: str, agent_ids: Collection[str]) -> list[Row]:
    """What a package brought to agents, or left with them; with `package_slug`."""
    sql = """
        SELECT *, plugin_base ->> '$.slug' AS package_slug FROM agent_triggers
        WHERE agent_id IN (SELECT value FROM json_each(?)) AND ifnull(plugin_id, ?) = ?
            AND plugin_base ->> '$.plugin_name' = ?
        ORDER BY plugin_id IS NOT NULL, id
    """
    return tx.all(sql, (json.dumps(list(agent_ids)), plugin_id, plugin_id, plugin_name))


def of_plugin(tx: ReadTx, plugin_id: str, agent_ids: Collection[str]) -> list[Row]:
    sql = """
        SELECT id, slug FROM agent_triggers
        WHERE plugin_id = ? AND agent_id IN (SELECT value FROM json_each(?)) ORDER BY id
    """
    return tx.all(sql, (plugin_id, json.dumps(list(agent_ids))))


def slug_clashes(tx: ReadTx, plugin_id: str) -> list[Row]:
    """The plugin's triggers whose slug a trigger of the agent's own has."""
    sql = """
        SELECT t.id, t.agent_id, t.slug FROM agent_triggers t
        JOIN agent_triggers other ON other.agent_id = t.agent_id AND other.slug = t.slug
        WHERE t.plugin_id = ? AND other.plugin_id IS NULL ORDER BY t.id
    """
    return tx.all(sql, (plugin_id,))


def event(tx: ReadTx, event_id: int) -> Row | None:
    return tx.one("SELECT * FROM events WHERE id = ?", (event_id,))


def invocation(tx: ReadTx, invocation_id: int) -> JsonText | None:
    sql = f"SELECT {_INVOCATION} FROM agent_invocations i WHERE i.id = ?"
    return tx.json(sql, (invocation_id,))


def invocation_row(tx: ReadTx, invocation_id: int) -> Row | None:
    return tx.one("SELECT * FROM agent_invocations WHERE id = ?", (invocation_id,))


def invocation_of_event(tx: ReadTx, event_id: int, trigger_id: int) -> int | None:
    sql = """
        SELECT id FROM agent_invocations
        WHERE event_id = ? AND trigger_id = ? AND origin = 'trigger'
    """
    found: int | None = tx.value(sql, (event_id, trigger_id))
    return found


def invocations(tx: ReadTx, query: InvocationFilter, project_id: str | None) -> JsonText:
    """`project_id` is the query's project, resolved."""
    where = Where(params={"limit": query.limit, "offset": query.offset})
    where.equal("i.agent_id", agent_id=query.agent_id)
    where.equal("i.trigger_id", trigger_id=query.trigger_id)
    where.equal("i.status", status=query.status)
    where.equal("i.kombuse_session_id", kombuse_session_id=query.kombuse_session_id)
    where.equal("i.project_id", project_id=project_id)
    if query.session_id is not None:
        either = "(i.session_id = :session_id OR i.kombuse_session_id = :session_id)"
        where.add(either, session_id=query.session_id)
    sql = f"""
        SELECT {_INVOCATION} FROM agent_invocations i {where.sql}
        ORDER BY i.created_at DESC, i.id DESC LIMIT :limit OFFSET :offset
    """
    return tx.json_list(sql, where.params)


def invocations_by_id(tx: ReadTx, ids: list[int]) -> list[Any]:
    """In the order of the ids."""
    sql = f"""
        SELECT {_INVOCATION} FROM json_each(?) wanted
        JOIN agent_invocations i ON i.id = wanted.value ORDER BY wanted.key
    """
    found: list[Any] = tx.json_list(sql, (json.dumps(ids),)).load()
    return found


def newest_of_session(tx: ReadTx, kombuse_session_id: str) -> Row | None:
    sql = """
        SELECT * FROM agent_invocations WHERE kombuse_session_id = ? ORDER BY id DESC LIMIT 1
    """
    return tx.one(sql, (kombuse_session_id,))


def running_of_session(tx: ReadTx, kombuse_session_id: str) -> list[Row]:
    sql = """
        SELECT * FROM agent_invocations
        WHERE kombuse_session_id = ? AND status = 'running' ORDER BY id
    """
    return tx.all(sql, (kombuse_session_id,))


def next_pending(tx: ReadTx, but_agents: Collection[str]) -> Row | None:
    """The one that is due for the longest time, of other agents than these.

    What was said to an agent while it works on the ticket waits until that run ends.
    """
    sql = """
        SELECT *, context ->> '$.event_type' AS event_type
        FROM agent_invocations i INDEXED BY agent_invocations_due
        WHERE status = 'pending' AND run_at <= ?
            AND agent_id NOT IN (SELECT value FROM json_each(?))
            AND NOT (context ->> '$.event_type' = 'mention.created' AND EXISTS (
                SELECT 1 FROM agent_invocations r INDEXED BY agent_invocations_running
                WHERE r.status = 'running' AND r.agent_id = i.agent_id
                    AND r.ticket_id = i.ticket_id
            ))
        ORDER BY run_at, id LIMIT 1
    """
    return tx.one(sql, (tx.now, json.dumps(list(but_agents))))


def actor_id(tx: ReadTx, event_id: int | None) -> str | None:
    found: str | None = tx.value("SELECT actor_id FROM events WHERE id = ?", (event_id,))
    return found


def next_due(tx: ReadTx) -> str | None:
    sql = """
        SELECT min(run_at) FROM agent_invocations INDEXED BY agent_invocations_due
        WHERE status = 'pending' AND run_at > ?
    """
    found: str | None = tx.value(sql, (tx.now,))
    return found


def running_by_agent(tx: ReadTx) -> list[Row]:
    """agent_id and n, how many runs it has."""
    sql = """
        SELECT agent_id, count(*) AS n FROM agent_invocations
        WHERE status = 'running' GROUP BY agent_id
    """
    return tx.all(sql)


def active_id(tx: ReadTx, row: Row) -> int | None:
    """Another invocation of the agent on the ticket: one that runs, or waited before this one."""
    sql = """
        SELECT min(id) FROM agent_invocations
        WHERE agent_id = ? AND ticket_id = ? AND status IN ('pending', 'running')
            AND id != ? AND (status = 'running' OR id < ?)
    """
    found: int | None = tx.value(sql, (row["agent_id"], row["ticket_id"], row["id"], row["id"]))
    return found


def caused_by_agents(tx: ReadTx, ticket_id: int, since: str, up_to: int | None = None) -> int:
    """How many invocations on a ticket no person caused, without those stopped as a loop."""
    where = Where(["NOT is_by_person", "loop_stop IS NULL"])
    where.add("ticket_id = :ticket_id AND created_at > :since", ticket_id=ticket_id, since=since)
    if up_to is not None:
        where.add("id <= :up_to", up_to=up_to)
    found: int = tx.value(f"SELECT count(*) FROM agent_invocations {where.sql}", where.params)
    return found


def is_awaited(tx: ReadTx, event_type: str) -> bool:
    sql = "SELECT 1 FROM agent_triggers WHERE event_type = ? AND is_enabled LIMIT 1"
    return tx.value(sql, (event_type,)) is not None


def has_run(tx: ReadTx, ticket_id: int) -> bool:
    """Whether any invocation was ever made for a ticket."""
    sql = "SELECT 1 FROM agent_invocations WHERE ticket_id = ? LIMIT 1"
    return tx.value(sql, (ticket_id,)) is not None


def stops(tx: ReadTx, ticket_id: int, since: str) -> set[str]:
    """How loop protection stopped invocations on a ticket: silently, told, both or not at all."""
    sql = """
        SELECT DISTINCT loop_stop FROM agent_invocations
        WHERE ticket_id = ? AND completed_at > ? AND loop_stop IS NOT NULL
    """
    return set(tx.values(sql, (ticket_id, since)))
