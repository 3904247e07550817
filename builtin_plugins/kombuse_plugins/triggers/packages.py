"""Triggers that packages bring with their agents; the provider of the PackagedTriggers contract."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from kombuse_plugins.triggers import portable, queries, service
from kombuse_plugins.triggers.models import TriggerRow
from kombuse_sdk.contracts import Agents, Labels
from kombuse_sdk.contracts.invocations import AgentTriggers
from kombuse_sdk.errors import BadRequest
from kombuse_sdk.packages import Installation
from kombuse_sdk.storage import ReadTx, Row, WriteTx

if TYPE_CHECKING:
    from kombuse_sdk.agent_files import TriggerInFile

__all__ = [
    "check",
    "install",
    "portable_of",
    "release",
    "remove",
    "replace_label",
    "set_enabled",
]

_TRACKED = ("event_type", "conditions", "priority")


def check(triggers: "Sequence[TriggerInFile]") -> None:
    for number, trigger in enumerate(triggers):
        try:
            service.require_conditions(trigger.event_type, trigger.conditions)
        except BadRequest as error:
            raise BadRequest(f"triggers.{number}: {error.message}") from None


def install(tx: WriteTx, installation: Installation, agents: Sequence[AgentTriggers]) -> None:
    context = _Context(tx, installation, agents)
    for agent in agents:
        known = context.known[agent.agent_id]
        for slug, trigger in zip(_slugs(agent.triggers), agent.triggers, strict=True):
            _install(tx, context, _Wanted(agent, slug, trigger), known.pop(slug, None))
        for row in known.values():
            tx.delete(TriggerRow, row["id"])
            installation.record("triggers", "removed", row["slug"])


def set_enabled(tx: WriteTx, plugin_id: str, is_enabled: bool) -> None:
    sql = """
        UPDATE agent_triggers
        SET is_enabled = :on, disabled_by_plugin = NOT :on, updated_at = :now
        WHERE plugin_id = :plugin AND iif(:on, disabled_by_plugin, is_enabled)
    """
    tx.execute(sql, {"plugin": plugin_id, "on": is_enabled, "now": tx.now})


def release(tx: WriteTx, plugin_id: str) -> None:
    for row in queries.slug_clashes(tx, plugin_id):
        slug = service.free_slug(tx, row["agent_id"], row["slug"])
        tx.update(TriggerRow, row["id"], slug=slug)
    sql = """
        UPDATE agent_triggers SET
            plugin_id = NULL, is_enabled = is_enabled OR disabled_by_plugin,
            disabled_by_plugin = 0, updated_at = ?
        WHERE plugin_id = ?
    """
    tx.execute(sql, (tx.now, plugin_id))


def remove(tx: WriteTx, plugin_id: str, agent_ids: Sequence[str]) -> list[str]:
    removed = queries.of_plugin(tx, plugin_id, agent_ids)
    for row in removed:
        tx.delete(TriggerRow, row["id"])
    return [row["slug"] for row in removed]


def replace_label(tx: WriteTx, label_id: int, other_id: int) -> None:
    sql = """
        UPDATE agent_triggers SET
            conditions = json_set(conditions, '$.label_id', :other),
            plugin_base = iif(
                plugin_base ->> '$.conditions.label_id' = :label,
                json_set(plugin_base, '$.conditions.label_id', :other),
                plugin_base
            )
        WHERE label_id = :label
    """
    tx.execute(sql, {"label": label_id, "other": other_id})


def portable_of(
    tx: ReadTx, project_id: str, agent_ids: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    labels = tx.services.find(Labels)
    known = labels.of_project(tx, project_id) if labels else {}
    names = {label_id: row["name"] for label_id, row in known.items()}
    rows = queries.triggers_of_agents(tx, agent_ids)
    slugs = _agent_slugs(tx, rows)
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["agent_id"]].append(_portable(row, names, slugs))
    return found


class _Context:
    """What the triggers of one installation need to know, read at once."""

    def __init__(
        self, tx: WriteTx, installation: Installation, agents: Sequence[AgentTriggers]
    ) -> None:
        self.installation = installation
        self.known = self._known(tx, [agent.agent_id for agent in agents])
        self.labels = self._labels(tx)
        self.agent_ids = self._agent_ids(tx, agents)

    def _known(self, tx: ReadTx, agent_ids: Sequence[str]) -> dict[str, dict[str, Row]]:
        """What this package brought before, by agent and the slug in the package."""
        found: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        name, plugin_id = self.installation.plugin_name, self.installation.plugin_id
        for row in queries.brought(tx, name, plugin_id, agent_ids):
            found[row["agent_id"]][row["package_slug"]] = row
        return found

    def _labels(self, tx: ReadTx) -> dict[str, tuple[int, str | None]]:
        labels = tx.services.find(Labels)
        rows = labels.of_project(tx, self.installation.project_id) if labels else {}
        named = self.installation.label_ids.items()
        return {name: (number, rows[number]["slug"]) for name, number in named if number in rows}

    def _agent_ids(self, tx: ReadTx, agents: Sequence[AgentTriggers]) -> dict[str, str]:
        """By slug, the agents that invokers name: of the package itself, else of the project."""
        own = {agent.package_slug: agent.agent_id for agent in agents}
        named = {
            slug
            for agent in agents
            for trigger in agent.triggers
            for slug in _named_agents(trigger)
        }
        project_id = self.installation.project_id
        find = tx.services.get(Agents).find_by_slug
        others = {slug: find(tx, slug, project_id) for slug in sorted(named - own.keys())}
        return own | {slug: agent_id for slug, agent_id in others.items() if agent_id is not None}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A trigger of an agent file, with the slug that it has among those of the file."""

    agent: AgentTriggers
    slug: str
    trigger: "TriggerInFile"

    def __str__(self) -> str:
        return f"{self.slug} of agent {self.agent.package_slug}"


def _install(tx: WriteTx, context: _Context, wanted: _Wanted, row: Row | None) -> None:
    installation, trigger = context.installation, wanted.trigger
    agent_id = wanted.agent.agent_id
    resolved = portable.conditions_in(trigger.conditions, agent_id, context.labels)
    new = {
        "event_type": trigger.event_type,
        "conditions": resolved.conditions,
        "priority": trigger.priority or 0,
    }
    base = {"plugin_name": installation.plugin_name, "slug": wanted.slug} | new
    values = {
        "slug": wanted.slug,
        "project_id": installation.project_id,
        "plugin_id": installation.plugin_id,
        "plugin_base": service.json_text(base),
        "updated_at": tx.now,
    }
    installation.warnings += _warnings(context, wanted, resolved.unknown)
    if row is not None:
        tx.update(TriggerRow, row["id"], **_columns(_merged(row, new)), **values)
        installation.record("triggers", "updated", wanted.slug)
        return
    is_enabled = trigger.is_enabled is not False
    tx.insert(
        TriggerRow,
        agent_id=agent_id,
        **_columns(new),
        **values,
        allowed_invokers=service.json_text(_invokers(context, wanted)),
        is_enabled=is_enabled and installation.is_enabled,
        disabled_by_plugin=is_enabled and not installation.is_enabled,
        created_at=tx.now,
    )
    installation.record("triggers", "created", wanted.slug)


def _invokers(context: _Context, wanted: _Wanted) -> list[dict[str, Any]] | None:
    rules = wanted.trigger.allowed_invokers
    if rules is None:
        return None
    given = [rule.model_dump(exclude_none=True) for rule in rules]
    return [portable.invoker_in(rule, wanted.agent.agent_id, context.agent_ids) for rule in given]


def _merged(row: Row, new: Mapping[str, Any]) -> dict[str, Any]:
    """The new values, but for what a person changed since the last installation."""
    base = json.loads(row["plugin_base"])
    now = {name: row[name] for name in _TRACKED}
    now["conditions"] = json.loads(row["conditions"] or "null")
    return {
        name: new[name] if _canonical(now[name]) == _canonical(base[name]) else now[name]
        for name in _TRACKED
    }


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "conditions": service.json_text(values["conditions"])}


def _warnings(context: _Context, wanted: _Wanted, labels: Iterable[str]) -> list[str]:
    unknown = [slug for slug in _named_agents(wanted.trigger) if slug not in context.agent_ids]
    warnings = [f'Trigger {wanted} refers to unknown label "{name}"' for name in labels]
    warnings += [f'Trigger {wanted} refers to unknown agent "{slug}"' for slug in unknown]
    if wanted.trigger.project_id is not None:
        warnings.append(f"The project_id of trigger {wanted} was ignored")
    return warnings


def _named_agents(trigger: "TriggerInFile") -> list[str]:
    slugs = (getattr(rule, "agent_slug", None) for rule in trigger.allowed_invokers or ())
    return [slug for slug in slugs if slug is not None]


def _slugs(triggers: "Sequence[TriggerInFile]") -> list[str]:
    """Each once: the second of a slug is numbered, with a number that nobody else has."""
    wanted = [trigger.slug or service.slug_of(trigger.event_type) for trigger in triggers]
    used: set[str] = set()
    found = []
    for slug in wanted:
        if slug in used:
            numbered = (f"{slug}-{number}" for number in count(2))
            slug = next(other for other in numbered if other not in used.union(wanted))
        used.add(slug)
        found.append(slug)
    return found


def _agent_slugs(tx: ReadTx, rows: Iterable[Row]) -> dict[str, str]:
    """Of the agents that the invokers of these triggers name."""
    agents = tx.services.get(Agents)
    named = {
        rule["agent_id"]
        for row in rows
        for rule in json.loads(row["allowed_invokers"] or "null") or ()
        if "agent_id" in rule
    }
    found = (agents.get(tx, agent_id) for agent_id in sorted(named))
    return {agent.id: agent.slug for agent in found if agent and agent.slug}


def _portable(row: Row, names: Mapping[int, str], slugs: Mapping[str, str]) -> dict[str, Any]:
    agent_id = row["agent_id"]
    conditions = json.loads(row["conditions"] or "null")
    shown = {
        "slug": row["slug"],
        "event_type": row["event_type"],
        "conditions": portable.conditions_out(conditions, agent_id, names),
        "project_id": None,
        "is_enabled": bool(row["is_enabled"] or row["disabled_by_plugin"]),
        "priority": row["priority"],
    }
    if row["slug"] is None:
        del shown["slug"]
    if row["allowed_invokers"] is not None:
        rules = json.loads(row["allowed_invokers"])
        shown["allowed_invokers"] = [portable.invoker_out(rule, agent_id, slugs) for rule in rules]
    return shown


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
