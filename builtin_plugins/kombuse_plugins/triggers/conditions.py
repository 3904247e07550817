"""Whether the payload of an event meets the conditions of a trigger: pure, over JSON values.

All conditions must hold. Each is about one key at the top level of the payload (a dot in it is just
a dot):

- `key: value`: the payload has this value, or a list that contains it
- `key: [a, b]`: the payload has one of these values
- `exclude_key: value` or `exclude_key: [a, b]`: the payload has none of these, nor a list that
  contains one; a key that it has not is fine

Values are equal as JSON: `1` is neither `true` nor `"1"`, and objects are equal by their contents.
A list never meets a list, and null only a null that is there. A key of the payload that begins
with `exclude_` cannot be asked for.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["equal", "hold"]

_EXCLUDE = "exclude_"


def hold(conditions: Mapping[str, Any] | None, payload: Mapping[str, Any]) -> bool:
    """No conditions always hold."""
    return all(_holds(key, wanted, payload) for key, wanted in (conditions or {}).items())


def equal(one: Any, other: Any) -> bool:
    """Equality of JSON values, in which true is not 1, but 1 is 1.0."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)


def _holds(key: str, wanted: Any, payload: Mapping[str, Any]) -> bool:
    if key.startswith(_EXCLUDE):
        name = key.removeprefix(_EXCLUDE)
        return name not in payload or not _has_any(payload[name], wanted)
    if key not in payload:
        return False
    found = payload[key]
    if isinstance(found, list) and isinstance(wanted, list):
        return any(equal(wanted, item) for item in found)
    return _has_any(found, wanted)


def _has_any(found: Any, wanted: Any) -> bool:
    """Whether what was found is, or contains, one of the wanted values."""
    return any(
        equal(item, value)
        for item in (found if isinstance(found, list) else [found])
        for value in (wanted if isinstance(wanted, list) else [wanted])
    )
