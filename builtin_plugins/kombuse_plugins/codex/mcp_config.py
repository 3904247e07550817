"""Our server in the person's own Codex: the table `mcp_servers.kombuse` of its config.toml."""

import os
from functools import partial
from pathlib import Path
from typing import Any

from kombuse_sdk import toml_files
from kombuse_sdk.config_files import Reversible
from kombuse_sdk.mcp_clients import (
    bridge_path,
    editing,
    our_server,
    stop_sessions,
    with_codex_server,
)
from kombuse_sdk.types import Kernel

__all__ = ["config_path", "entry", "status", "switch"]

_NAME = "kombuse"


def config_path() -> Path:
    home = os.environ.get("CODEX_HOME") or "~/.codex"
    return Path(home).expanduser().absolute() / "config.toml"


def status() -> dict[str, Any]:
    """Raises Conflict for a file that does not parse."""
    with editing():
        found = entry(_read(config_path()))
    args = found.get("args")
    return {
        "enabled": found.get("enabled") is True,
        "configured": bool(found),
        "config_path": str(config_path()),
        "client_config_path": str(config_path()),
        "url": _text(found.get("url")),
        "command": _text(found.get("command")),
        "args": [str(arg) for arg in args] if isinstance(args, list) else [],
        "bridge_path": bridge_path(),
    }


def switch(kernel: Kernel, enabled: bool) -> dict[str, Any]:
    """Raises Conflict for a file that does not parse, Forbidden for one that is read-only."""
    path = config_path()
    file = Reversible(path, kernel.config.home / "config-backups")
    enable = partial(_enabled, path, our_server(kernel).for_codex)
    with editing():
        is_new = entry(_read(path)).get("enabled") is not True
        if enabled:
            is_changed = file.apply(enable, is_new=is_new)
        else:
            is_changed = file.take_back(enable, partial(_disabled, path))
    stopped = stop_sessions(kernel, "codex") if is_changed else 0
    return status() | {"stopped_sessions": stopped}


def entry(data: bytes | None) -> dict[str, Any]:
    """What the file says of our server; empty when nothing."""
    servers = toml_files.parse(config_path(), data).get("mcp_servers")
    found = servers.get(_NAME) if isinstance(servers, dict) else None
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _enabled(path: Path, server: dict[str, Any], data: bytes | None) -> bytes | None:
    """A server of that name that is the person's own is only switched on."""
    return _with(path, with_codex_server(entry(data), server) | {"enabled": True}, data)


def _disabled(path: Path, data: bytes | None) -> bytes | None:
    return _with(path, {"enabled": False}, data) if entry(data) else None


def _with(path: Path, values: dict[str, Any], data: bytes | None) -> bytes | None:
    return toml_files.with_values(path, data, {"mcp_servers": {_NAME: values}})
