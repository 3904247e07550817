"""Conditions and invokers as packages write them: names in place of ids. Pure, over JSON values.

`$SELF` stands for the agent's own id, `label_name` for `label_id` and `agent_slug` for the
`agent_id` of an invoker. A name that is not known stays, so that the trigger never fires.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kombuse_sdk.agent_schemas import SELF

__all__ = ["Resolved", "conditions_in", "conditions_out", "invoker_in", "invoker_out"]

_IDS = {"label_name": "label_id", "exclude_label_name": "exclude_label_id"}
_NAMES = {id_key: name_key for name_key, id_key in _IDS.items()}
# No agent has such an id; without any id the rule would let every agent in.
_UNKNOWN_AGENT = "unknown agent "

Conditions = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Conditions for the database, and the label names in them that nothing is known of."""

    conditions: dict[str, Any] | None
    unknown: tuple[str, ...] = ()


def conditions_in(
    conditions: Conditions | None, agent_id: str, labels: Mapping[str, tuple[int, str | None]]
) -> Resolved:
    """`labels` has (id, slug) by name."""
    if conditions is None:
        return Resolved(None)
    found: dict[str, Any] = {}
    unknown: list[str] = []
    for key, value in conditions.items():
        names = _strings(value) if key in _IDS else []
        missing = [name for name in names if name not in labels]
        unknown += missing
        if not names or missing:
            found.setdefault(key, _replaced(value, SELF, agent_id))
            continue
        ids = [labels[name][0] for name in names]
        found[_IDS[key]] = ids if isinstance(value, list) else ids[0]
        slug = labels[names[0]][1]
        if key == "label_name" and isinstance(value, str) and slug is not None:
            found["label_slug"] = slug
    return Resolved(found, tuple(unknown))


def conditions_out(
    conditions: Conditions | None, agent_id: str, names: Mapping[int, str]
) -> dict[str, Any] | None:
    """`names` has the labels of the project: others cannot be named."""
    if conditions is None:
        return None
    found: dict[str, Any] = {}
    for key, value in conditions.items():
        named = _named(value, names) if key in _NAMES else None
        if named is not None:
            found[_NAMES[key]] = named
        else:
            found[key] = _replaced(value, agent_id, SELF)
    if "label_name" in found and "label_id" in conditions:
        found.pop("label_slug", None)
    return found


def invoker_in(
    rule: Mapping[str, Any], agent_id: str, agent_ids: Mapping[str, str]
) -> dict[str, Any]:
    """`agent_ids` by slug."""
    found = {key: value for key, value in rule.items() if key != "agent_slug"}
    slug = rule.get("agent_slug")
    if found.get("agent_id") == SELF:
        found["agent_id"] = agent_id
    elif slug is not None:
        found["agent_id"] = agent_ids.get(slug, _UNKNOWN_AGENT + slug)
    return found


def invoker_out(rule: Mapping[str, Any], agent_id: str, slugs: Mapping[str, str]) -> dict[str, Any]:
    """`slugs` of other agents by their ids."""
    named = rule.get("agent_id")
    if named == agent_id:
        return {**rule, "agent_id": SELF}
    if named is not None and named in slugs:
        rest = {key: value for key, value in rule.items() if key != "agent_id"}
        return {**rest, "agent_slug": slugs[named]}
    return dict(rule)


def _strings(value: Any) -> list[str]:
    """The text, or the texts of a list of nothing else."""
    items = value if isinstance(value, list) else [value]
    return items if all(isinstance(item, str) for item in items) else []


def _named(value: Any, names: Mapping[int, str]) -> str | list[str] | None:
    items = value if isinstance(value, list) else [value]
    if not items or not all(type(item) is int and item in names for item in items):
        return None
    found = [names[item] for item in items]
    return found if isinstance(value, list) else found[0]


def _replaced(value: Any, old: str, new: str) -> Any:
    if isinstance(value, list):
        return [_replaced(item, old, new) for item in value]
    return new if isinstance(value, str) and value == old else value
