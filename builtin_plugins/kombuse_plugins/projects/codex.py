"""Codex: the trust of a project's folder, and the MCP server in the project's configuration.

The user's files keep their comments, order and line ends.
"""

import os
from pathlib import Path

from kombuse_sdk import config_files, toml_files

__all__ = ["add_server", "configure", "trust", "user_config"]


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
    config_files.edit(path, lambda data: toml_files.with_values(path, data, wanted))


def add_server(folder: Path, url: str) -> None:
    """An entry of that name that is there already belongs to the user."""
    path = folder / ".codex" / "config.toml"
    wanted = {"mcp_servers": {"kombuse": {"url": url, "enabled": True}}}

    def change(data: bytes | None) -> bytes | None:
        servers = toml_files.parse(path, data).get("mcp_servers")
        if isinstance(servers, dict) and "kombuse" in servers:
            return None
        return toml_files.with_values(path, data, wanted)

    config_files.edit(path, change, inside=folder)
