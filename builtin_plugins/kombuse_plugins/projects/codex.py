"""Codex: the trust of a project's folder, and the MCP server in the project's configuration.

The user's files keep their comments, order and line ends.
"""

import os
from pathlib import Path

from kombuse_sdk import config_files, toml_files
from kombuse_sdk.mcp_clients import Bridge, with_codex_server

__all__ = ["add_server", "configure", "trust", "user_config"]


def user_config() -> Path:
    home = os.environ.get("CODEX_HOME") or "~/.codex"
    return Path(home).expanduser().absolute() / "config.toml"


def configure(folder: Path, server: Bridge) -> None:
    """Raises OSError or ValueError; what cannot be edited is as it was."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not an existing directory")
    trust(folder)
    add_server(folder, server)


def trust(folder: Path) -> None:
    path = user_config()
    wanted = {"projects": {str(folder): {"trust_level": "trusted"}}}
    config_files.edit(path, lambda data: toml_files.with_values(path, data, wanted))


def add_server(folder: Path, server: Bridge) -> None:
    """An entry that leads to us is brought up to date; any other one belongs to the user."""
    path = folder / ".codex" / "config.toml"

    def change(data: bytes | None) -> bytes | None:
        servers = toml_files.parse(path, data).get("mcp_servers")
        entry = servers.get("kombuse") if isinstance(servers, dict) else None
        if entry is None:
            new = {**server.for_codex, "enabled": True}
        elif isinstance(entry, dict) and ("url" in entry or "command" in entry):
            new = with_codex_server(entry, server.for_codex)
        else:
            return None
        return toml_files.with_values(path, data, {"mcp_servers": {"kombuse": new}})

    config_files.edit(path, change, inside=folder)
