"""Our server in the person's own Claude Code.

The API names `settings.local.json`, but Claude Code (measured with 2.1.330) reads servers of the
person's own only from `.claude.json`. So the entry is written to both, and what either says counts.
"""

import os
from functools import partial
from pathlib import Path
from typing import Any

from kombuse_sdk import json_files
from kombuse_sdk.config_files import Reversible
from kombuse_sdk.mcp_clients import (
    bridge_path,
    editing,
    our_server,
    stop_sessions,
    with_claude_server,
)
from kombuse_sdk.types import Kernel

__all__ = ["client_path", "config_folder", "settings_path", "status", "switch"]

_NAME = "kombuse"
_SERVERS = "mcpServers"


def config_folder() -> Path:
    """Where Claude Code keeps what is the person's own."""
    return _own_folder() or Path("~/.claude").expanduser()


def settings_path() -> Path:
    return config_folder() / "settings.local.json"


def client_path() -> Path:
    return (_own_folder() or Path.home()) / ".claude.json"


def status() -> dict[str, Any]:
    """Raises Conflict for a file that does not parse."""
    with editing():
        entries = [_entry(path, _read(path)) for path in (settings_path(), client_path())]
    usable: dict[str, Any] = next((entry for entry in entries if _is_usable(entry)), {})
    args = usable.get("args")
    return {
        "enabled": bool(usable),
        "configured": any(isinstance(entry, dict) for entry in entries),
        "config_path": str(settings_path()),
        "client_config_path": str(client_path()),
        "url": _text(usable.get("url")),
        "command": _text(usable.get("command")),
        "args": [str(arg) for arg in args] if isinstance(args, list) else [],
        "bridge_path": bridge_path(),
    }


def switch(kernel: Kernel, enabled: bool) -> dict[str, Any]:
    """Raises Conflict for a file that does not parse, Forbidden for one that is read-only."""
    server = our_server(kernel).for_claude
    backups = kernel.config.home / "config-backups"
    files = [Reversible(path, backups) for path in (settings_path(), client_path())]
    with editing():
        found = [(file, _read(file.path)) for file in files]
        entries = [_entry(file.path, data) for file, data in found]
        if enabled:
            for _, data in found:  # what cannot be edited is told before anything is written
                _with(server, data)
        changes = [
            file.apply(partial(_with, server), is_new=entry is None)
            if enabled
            else file.take_back(partial(_with, server), _without)
            for file, entry in zip(files, entries, strict=True)
        ]
    stopped = stop_sessions(kernel, "claude-code") if any(changes) else 0
    return status() | {"stopped_sessions": stopped}


def _own_folder() -> Path | None:
    named = os.environ.get("CLAUDE_CONFIG_DIR") or os.environ.get("CLAUDE_HOME")
    return Path(named).expanduser().absolute() if named else None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _entry(path: Path, data: bytes | None) -> Any:
    try:
        config = json_files.parse(data)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    servers = config.get(_SERVERS)
    return servers.get(_NAME) if isinstance(servers, dict) else None


def _is_usable(entry: Any) -> bool:
    return isinstance(entry, dict) and bool(_text(entry.get("command")) or _text(entry.get("url")))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _with(server: dict[str, Any], data: bytes | None) -> bytes | None:
    """A server of that name that is the person's own stays as it is."""
    config = json_files.parse(data)
    servers = config.setdefault(_SERVERS, {})
    if not isinstance(servers, dict):
        raise ValueError(f"left as it is: {_SERVERS} is not an object")
    new = with_claude_server(servers.get(_NAME), server)
    if new is None:
        return None
    servers[_NAME] = new
    return json_files.render(config, data)


def _without(data: bytes | None) -> bytes | None:
    config = json_files.parse(data)
    servers = config.get(_SERVERS)
    if not isinstance(servers, dict) or _NAME not in servers:
        return None
    del servers[_NAME]
    return json_files.render(config, data)
