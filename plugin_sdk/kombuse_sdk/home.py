"""Where a server keeps its files, and where its clients look for them."""

import os
from pathlib import Path

from kombuse_sdk import whole_files

__all__ = [
    "DEFAULT_PORT",
    "PORT_FILE",
    "PROCESS_VARIABLE",
    "TOKEN_FILE",
    "TOKEN_VARIABLE",
    "default_home",
    "find_token",
    "write_private",
]

DEFAULT_PORT = 3331
PORT_FILE = "server-port"
TOKEN_FILE = "token"
TOKEN_VARIABLE = "KOMBUSE_TOKEN"
PROCESS_VARIABLE = "KOMBUSE_PROCESS"


def default_home() -> Path:
    return Path(os.environ.get("KOMBUSE_HOME") or "~/.kombuse").expanduser()


def find_token(home: Path) -> str | None:
    """What the server of a home may want of this program.

    One that an agent runs has the agent's token or none, but not the person's. And a home without
    a server has none for whoever listens where one would.
    """
    given = os.environ.get(TOKEN_VARIABLE)
    if given or os.environ.get(PROCESS_VARIABLE):
        return given or None
    try:
        token = (home / TOKEN_FILE).read_text(encoding="ascii").strip()
        return token if token.isprintable() and (home / PORT_FILE).exists() else None
    except (OSError, ValueError):
        return None


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only; a link at `path` is replaced too."""
    whole_files.replace(path, text.encode())
