"""The input of a tool as what it is: made by a program that may send anything.

It is bound to its request by a hash of all of it; what is stored and shown is bounded.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["IS_CUT", "fingerprint", "storable"]

MAX_CHARACTERS = 100_000
MAX_DEPTH = 20
IS_CUT = "_truncated"
_SHORTER = (20_000, 4_000, 1_000, 100)
_CUT = "...[truncated]"


def fingerprint(session_id: str, tool: str, arguments: Mapping[str, Any]) -> str:
    """The SHA-256 of the canonical JSON of who wants to do what."""
    wanted = [session_id, tool, arguments]
    text = json.dumps(wanted, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def storable(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Plain JSON of at most `MAX_CHARACTERS`; what was cut is marked by `IS_CUT`."""
    plain: dict[str, Any] = _plain(arguments, 0)
    if len(_dump(plain)) <= MAX_CHARACTERS:
        return plain
    for limit in _SHORTER:
        shorter: dict[str, Any] = _shortened(plain, limit) | {IS_CUT: True}
        if len(_dump(shorter)) <= MAX_CHARACTERS:
            return shorter
    return {IS_CUT: True}


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth == MAX_DEPTH:
        return "[MaxDepthExceeded]"
    if isinstance(value, Mapping):
        return {_plain(str(key), depth): _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    return _plain(str(value), depth)


def _shortened(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= limit else value[:limit] + _CUT
    if isinstance(value, dict):
        return {k[:limit]: _shortened(item, limit) for k, item in list(value.items())[:limit]}
    if isinstance(value, list):
        return [_shortened(item, limit) for item in value[:limit]]
    return value


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
