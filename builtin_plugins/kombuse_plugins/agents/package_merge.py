"""What a new version of a package makes of an agent that a person may have changed: pure rules.

The states have the keys of `plugin_base`: system_prompt, permissions, config and is_enabled.
`base` is what the package brought last, None for an agent that it did not bring.
"""

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["merged", "same"]

State = Mapping[str, Any]


def merged(base: State | None, now: State, new: State) -> dict[str, Any]:
    """The new state, with what differs from the base kept, in the configuration key by key."""
    if base is None:
        return dict(new)
    kept = {name: now[name] for name in new if not _is_untouched(name, base, now)}
    if "config" in kept:
        kept["config"] = _config(base.get("config", {}), now["config"], new["config"])
    return {**new, **kept}


def same(one: Any, other: Any) -> bool:
    """Equal as JSON, where 1 is not true and the order of keys does not matter."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _config(base: State, now: State, new: State) -> dict[str, Any]:
    """A key that the person removed comes back; one that only the package removed goes."""
    changed = {name: value for name, value in now.items() if not _is_untouched(name, base, now)}
    return {**new, **changed}


def _is_untouched(name: str, base: State, now: State) -> bool:
    return name in base and same(base[name], now[name])
