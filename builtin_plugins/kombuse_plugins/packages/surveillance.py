"""Refusing what the code of a package did not declare: network, files, processes.

Python in the server's process cannot be locked in: code that means harm gets around this. It keeps
honest code to what the person was told, and tells them when it does something else.
"""

import logging
import os
import sys
from collections.abc import Collection
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["watch"]

log = logging.getLogger("kombuse.packages")

_NETWORK = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto")
_PROCESSES = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.spawn")
_FILES = (
    *("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"),
    *("os.chmod", "os.chown", "shutil.rmtree", "shutil.move", "shutil.copyfile"),
    "sqlite3.connect",
)
_NEEDED = (
    dict.fromkeys(_NETWORK, "network")
    | dict.fromkeys(_PROCESSES, "processes")
    | dict.fromkeys(_FILES, "filesystem")
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC

_OURS = tuple(f"{os.sep}{name}{os.sep}" for name in ("kombuse_kernel", "kombuse_plugins"))
_watched: dict[str, tuple[str, frozenset[str]]] = {}


def watch(name: str, folder: Path, capabilities: Collection[str]) -> None:
    """From now on PermissionError is raised where code of the folder goes beyond `capabilities`."""
    if not _watched:
        sys.addaudithook(_audit)
    _watched[f"{folder}{os.sep}"] = (name, frozenset(capabilities))


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    needed = _NEEDED.get(event) or ("filesystem" if _writes(event, arguments) else None)
    if needed is None:
        return
    owner = _owner(sys._getframe(1))
    if owner is None:
        return
    name, capabilities = owner
    if needed not in capabilities:
        log.error("package %s did not declare the capability %s: %s", name, needed, event)
        raise PermissionError(f"package {name} did not declare the capability {needed}")


def _writes(event: str, arguments: tuple[Any, ...]) -> bool:
    if event != "open":
        return False
    path, _, flags = arguments
    return isinstance(flags, int) and bool(flags & _WRITING) and path != os.devnull


def _owner(frame: FrameType | None) -> tuple[str, frozenset[str]] | None:
    """The package whose code is being run, if it is one's: what it asks of us we do, not it."""
    while frame is not None:
        file = frame.f_code.co_filename
        for folder, owner in _watched.items():
            if file.startswith(folder):
                return owner
        if any(ours in file for ours in _OURS):
            return None
        frame = frame.f_back
    return None
