"""Codex: the trust of a project's folder, and the MCP server in the project's configuration.

The user's files keep their comments, order and line ends. An edit is written only if the TOML
parser finds in it exactly what was there before and the wanted values.
"""

import copy
import os
import tomllib
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from kombuse_plugins.projects import disk

__all__ = ["add_server", "configure", "trust", "user_config"]

Table = MutableMapping[str, Any]


def user_config() -> Path:
    home = os.environ.get("CODEX_HOME") or "~/.codex"
    return Path(home).expanduser().absolute() / "config.toml"


def configure(folder: Path, url: str) -> None:
    """Raises OSError or ValueError; what cannot be edited is as it was."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not an existing directory")
    trust(folder)
    add_server(folder, url)


def trust(folder: Path) -> None:
    path = user_config()
    wanted = {"projects": {str(folder): {"trust_level": "trusted"}}}
    disk.edit(path, lambda data: _with(path, data, wanted))


def add_server(folder: Path, url: str) -> None:
    """An entry of that name that is there already belongs to the user."""
    path = folder / ".codex" / "config.toml"
    wanted = {"mcp_servers": {"kombuse": {"url": url, "enabled": True}}}

    def change(data: bytes | None) -> bytes | None:
        servers = _parse(path, data).get("mcp_servers")
        if isinstance(servers, dict) and "kombuse" in servers:
            return None
        return _with(path, data, wanted)

    disk.edit(path, change, inside=folder)


def _parse(path: Path, data: bytes | None) -> dict[str, Any]:
    try:
        return tomllib.loads((data or b"").decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid TOML and was left as it is: {error}") from None


def _with(path: Path, data: bytes | None, wanted: dict[str, Any]) -> bytes | None:
    """The file with the wanted values, or None when it has them."""
    current = _parse(path, data)
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
    try:
        new = write(text, wanted)
        tomllib.loads(new)
    except (ValueError, TOMLKitError):
        return None
    return new


def _appended(text: str, wanted: dict[str, Any]) -> str:
    """A new table at the end, which leaves all before it byte for byte as it was."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    if text:
        text += line_end if text.endswith("\n") else line_end * 2
    return text + tomlkit.dumps(_nested(wanted)).replace("\n", line_end)


def _merged(text: str, wanted: dict[str, Any]) -> str:
    document = tomlkit.parse(text)
    _merge(document, wanted)
    return tomlkit.dumps(document)


def _nested(values: dict[str, Any]) -> tomlkit.TOMLDocument:
    """`[a.b]` without a `[a]` of its own before it, which the file may have already."""
    document = tomlkit.document()
    ((name, tables),) = values.items()
    parent = tomlkit.table(is_super_table=True)
    for key, table in tables.items():
        parent[key] = table
    document[name] = parent
    return document


def _merge(table: Table, wanted: dict[str, Any]) -> None:
    for key, value in wanted.items():
        if not isinstance(value, dict):
            table[key] = value
            continue
        if key not in table:
            table[key] = {}
        if not isinstance(table[key], MutableMapping):
            raise TypeError(f"{key} is not a table")
        _merge(table[key], value)
