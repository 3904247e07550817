"""Where a server keeps its files, and where its clients look for them."""

import os
from pathlib import Path

__all__ = ["DEFAULT_PORT", "PORT_FILE", "default_home", "write_private"]

DEFAULT_PORT = 3331
PORT_FILE = "server-port"


def default_home() -> Path:
    return Path(os.environ.get("KOMBUSE_HOME") or "~/.kombuse").expanduser()


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only; a link at `path` is replaced too."""
    import tempfile

    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise
