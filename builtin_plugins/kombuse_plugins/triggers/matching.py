"""Which triggers an event fires."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kombuse_plugins.triggers import conditions, queries
from kombuse_sdk.contracts import Agents
from kombuse_sdk.contracts.agents import Agent
from kombuse_sdk.events import StoredEvent
from kombuse_sdk.storage import ReadTx, Row

__all__ = ["fired"]


def fired(tx: ReadTx, event: StoredEvent) -> list[tuple[Row, Agent]]:
    """The triggers and their agents, the highest priority first."""
    found = []
    for trigger in queries.triggers_for(tx, event.event_type, event.project_id):
        if not _fits(tx, trigger, event):
            continue
        agent = tx.services.get(Agents).get(tx, trigger["agent_id"])
        if agent is None or not agent.is_enabled:
            continue
        if agent.project_id in (None, event.project_id):
            found.append((trigger, agent))
    return found


def _fits(tx: ReadTx, trigger: Row, event: StoredEvent) -> bool:
    wanted = json.loads(trigger["conditions"] or "null")
    if event.event_type == "mention.created" and not wanted:
        return False
    invokers = json.loads(trigger["allowed_invokers"] or "null")
    return conditions.hold(wanted, event.payload) and _may_invoke(tx, invokers, event)


def _may_invoke(
    tx: ReadTx, allowed: Sequence[Mapping[str, Any]] | None, event: StoredEvent
) -> bool:
    """Without rules everybody may."""
    return not allowed or any(_is_invoker(tx, rule, event) for rule in allowed)


def _is_invoker(tx: ReadTx, rule: Mapping[str, Any], event: StoredEvent) -> bool:
    if rule["type"] == "any":
        return True
    if rule["type"] != event.actor_type:
        return False
    if rule.get("agent_id") not in (None, event.actor_id):
        return False
    return rule.get("agent_type") in (None, _type_of(tx, event.actor_id))


def _type_of(tx: ReadTx, agent_id: str | None) -> str | None:
    agent = tx.services.get(Agents).get(tx, agent_id) if agent_id is not None else None
    return agent.preset.type if agent else None
