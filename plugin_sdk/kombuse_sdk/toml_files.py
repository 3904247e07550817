"""Edits of other programs' TOML files that keep comments, order and line ends.

An edit is made only if the TOML parser finds in the new text exactly what was there before and the
wanted values. tomlkit, which few starts of the server need, is imported on first use.
"""

import copy
import tomllib
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

__all__ = ["parse", "with_values"]

_Table = MutableMapping[str, Any]


def parse(path: Path, data: bytes | None) -> dict[str, Any]:
    """What a file holds; ValueError names it."""
    try:
        return tomllib.loads((data or b"").decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid TOML and was left as it is: {error}") from None


def with_values(path: Path, data: bytes | None, wanted: dict[str, Any]) -> bytes | None:
    """The file with the wanted values, or None when it has them; ValueError when that cannot be.

    A key whose wanted value is None is removed.
    """
    current = parse(path, data)
    expected = copy.deepcopy(current)
    try:
        _merge(expected, wanted)
    except TypeError as error:
        raise ValueError(f"{path} was left as it is: {error}") from None
    if expected == current:
        return None
    text = (data or b"").decode()
    for write in (_appended, _merged):
        new = _attempt(write, text, wanted)
        if new is not None and tomllib.loads(new) == expected:
            return new.encode()
    raise ValueError(f"{path} was left as it is: its form does not allow a safe edit")


def _attempt(
    write: Callable[[str, dict[str, Any]], str], text: str, wanted: dict[str, Any]
) -> str | None:
    from tomlkit.exceptions import TOMLKitError

    try:
        new = write(text, wanted)
        tomllib.loads(new)
    except (ValueError, TOMLKitError):
        return None
    return new


def _appended(text: str, wanted: dict[str, Any]) -> str:
    """A new table at the end, which leaves all before it byte for byte as it was."""
    import tomlkit

    line_end = "\r\n" if "\r\n" in text else "\n"
    if text:
        text += line_end if text.endswith("\n") else line_end * 2
    return text + tomlkit.dumps(_nested(wanted)).replace("\n", line_end)


def _merged(text: str, wanted: dict[str, Any]) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    _merge(document, wanted)
    return tomlkit.dumps(document)


def _nested(values: dict[str, Any]) -> "TOMLDocument":
    """`[a.b]` without a `[a]` of its own before it, which the file may have already."""
    import tomlkit

    document = tomlkit.document()
    ((name, tables),) = values.items()
    parent = tomlkit.table(is_super_table=True)
    for key, table in tables.items():
        parent[key] = {name: value for name, value in table.items() if value is not None}
    document[name] = parent
    return document


def _merge(table: _Table, wanted: dict[str, Any]) -> None:
    for key, value in wanted.items():
        if value is None:
            table.pop(key, None)
            continue
        if not isinstance(value, dict):
            table[key] = value
            continue
        if key not in table:
            table[key] = {}
        if not isinstance(table[key], MutableMapping):
            raise TypeError(f"{key} is not a table")
        _merge(table[key], value)
