"""JSON files that people and other programs write: read them, edit them in the form they have."""

import json
import re
from typing import Any

__all__ = ["object_in", "parse", "render"]

_BOM = b"\xef\xbb\xbf"


def parse(data: bytes | None) -> dict[str, Any]:
    """The object in a file; ValueError for what is none, or would lose something if written."""
    text = "{}" if data is None else data.removeprefix(_BOM).decode()
    try:
        loaded = json.loads(text, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not valid JSON, left as it is: {error}") from None
    if not isinstance(loaded, dict):
        raise ValueError("not a JSON object, left as it is")
    return loaded


def object_in(data: bytes | str | None) -> dict[str, Any]:
    """The object in a file; an empty one for what is none, as where nothing depends on it."""
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def render(value: dict[str, Any], like: bytes | None) -> bytes:
    """The text of an object with the indentation and line ends of what the file held."""
    text = "" if like is None else like.decode()
    indent = re.search(r"^[ \t]+(?=\")", text, re.MULTILINE)
    written = json.dumps(value, indent=indent[0] if indent else 2, ensure_ascii=False) + "\n"
    return (written.replace("\n", "\r\n") if "\r\n" in text else written).encode()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key that is there twice would lose a value when it is written."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is there twice")
    return made
