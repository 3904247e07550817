"""Rules of triggers; the provider of the Triggers contract."""

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

from kombuse_plugins.triggers import queries
from kombuse_plugins.triggers.models import TriggerRow
from kombuse_plugins.triggers.schemas import TriggerCreate, TriggerUpdate
from kombuse_sdk.contracts import Agents, Labels, Projects
from kombuse_sdk.errors import BadRequest, Conflict, NotFound
from kombuse_sdk.schemas import slugify
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = [
    "create",
    "delete",
    "free_slug",
    "get",
    "json_text",
    "list_of_agent",
    "of_agent",
    "of_label",
    "require_agent",
    "require_conditions",
    "slug_of",
    "smart_label_ids",
    "update",
]

_MENTION_RULE = (
    'mention.created triggers require explicit conditions (e.g. { mention_type: "profile" })'
)
_LONGEST_BASE = 90


def get(tx: ReadTx, trigger_id: int) -> JsonText:
    return NotFound.unless(queries.trigger(tx, trigger_id), "Trigger")


def list_of_agent(tx: ReadTx, agent_id: str) -> JsonText:
    require_agent(tx, agent_id, "Agent not found")
    return queries.triggers_of_agent(tx, agent_id)


def of_agent(tx: ReadTx, agent_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = queries.triggers_of_agent(tx, agent_id).load()
    return found


def of_label(tx: ReadTx, label_id: int) -> JsonText:
    labels = tx.services.find(Labels)
    if labels is None or labels.project_id(tx, label_id) is None:
        raise NotFound("Label not found")
    return queries.triggers_of_label(tx, label_id)


def smart_label_ids(tx: ReadTx, project_id: str) -> dict[str, list[int]]:
    """Enabled labels of the project that start an enabled agent."""
    labels = tx.services.find(Labels)
    agents = tx.services.get(Agents).listing(tx, project_id)
    named = queries.label_ids(tx, project_id, [agent["id"] for agent in agents])
    return {"label_ids": labels.enabled_among(tx, project_id, named) if labels else []}


def create(tx: WriteTx, agent_id: str, body: TriggerCreate) -> JsonText:
    require_agent(tx, agent_id, f"Agent {agent_id} not found")
    values = body.model_dump(exclude_unset=True)
    require_conditions(body.event_type, values.get("conditions"))
    if body.slug is not None and queries.slug_is_taken(tx, agent_id, body.slug):
        raise Conflict(f"The agent has a trigger with the slug {body.slug} already")
    trigger_id = tx.insert(
        TriggerRow,
        agent_id=agent_id,
        slug=body.slug or free_slug(tx, agent_id, slug_of(body.event_type)),
        event_type=body.event_type,
        project_id=_project_id(tx, values.get("project_id")),
        conditions=json_text(values.get("conditions")),
        is_enabled=body.is_enabled,
        priority=body.priority,
        allowed_invokers=json_text(values.get("allowed_invokers")),
        created_at=tx.now,
        updated_at=tx.now,
    )
    return get(tx, trigger_id)


def update(tx: WriteTx, trigger_id: int, body: TriggerUpdate) -> JsonText:
    """The slug stays. The same values change nothing."""
    row = _require_row(tx, trigger_id)
    given = body.model_dump(exclude_unset=True)
    if "project_id" in given:
        given["project_id"] = _project_id(tx, given["project_id"])
    for name in {"conditions", "allowed_invokers"} & given.keys():
        given[name] = json_text(given[name])
    merged = dict(row) | given
    require_conditions(merged["event_type"], json.loads(merged["conditions"] or "null"))
    changes = {name: value for name, value in given.items() if value != row[name]}
    if "is_enabled" in given and row["disabled_by_plugin"]:
        changes["disabled_by_plugin"] = False
    if changes:
        tx.update(TriggerRow, trigger_id, **changes, updated_at=tx.now)
    return get(tx, trigger_id)


def delete(tx: WriteTx, trigger_id: int) -> None:
    """The invocations that it started stay."""
    _require_row(tx, trigger_id)
    tx.delete(TriggerRow, trigger_id)


def require_agent(tx: ReadTx, agent_id: str, message: str) -> None:
    if tx.services.get(Agents).get(tx, agent_id) is None:
        raise NotFound(message)


def _require_row(tx: ReadTx, trigger_id: int) -> Row:
    row = queries.trigger_row(tx, trigger_id)
    if row is None:
        raise NotFound(f"Trigger {trigger_id} not found")
    return row


def require_conditions(event_type: str, conditions: Mapping[str, Any] | None) -> None:
    """A trigger on every mention of anybody would start with almost every comment."""
    if event_type == "mention.created" and not conditions:
        raise BadRequest(_MENTION_RULE)


def _project_id(tx: ReadTx, reference: str | None) -> str | None:
    if reference is None:
        return None
    return NotFound.unless(tx.services.get(Projects).resolve(tx, reference), "Project")


def slug_of(event_type: str) -> str:
    return slugify(event_type)[:_LONGEST_BASE].rstrip("-") or "trigger"


def free_slug(tx: ReadTx, agent_id: str, base: str) -> str:
    """The slug itself or with a number, whatever no trigger of the agent's own has."""
    numbered = (f"{base}-{number}" if number > 1 else base for number in count(1))
    return next(slug for slug in numbered if not queries.slug_is_taken(tx, agent_id, slug))


def json_text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
