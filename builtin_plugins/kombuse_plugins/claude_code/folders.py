"""The folders of Claude Code below `projects`: one for each project, with a file for each session.

Only the folder `projects` itself may be a link. What is below it is opened without following links,
and only regular files are read.
"""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kombuse_plugins.claude_code.mcp_config import config_folder

__all__ = [
    "INDEX",
    "folder_names",
    "open_file",
    "open_folder",
    "open_root",
    "project_folders",
    "session_files",
]

INDEX = "sessions-index.json"
_SESSION = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\.jsonl", re.IGNORECASE)
_BUFFER = 256 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def folder_names(path: str) -> list[str]:
    """What the folder of a project may be called; several paths have the same name.

    Versions of Claude Code differ in which characters they replace.
    """
    return list(dict.fromkeys((path.replace("/", "-"), re.sub("[^a-zA-Z0-9]", "-", path))))


@contextmanager
def open_root() -> Iterator[int]:
    """Raises OSError when there is none."""
    with _closing(os.open(config_folder() / "projects", _FOLDER)) as descriptor:
        yield descriptor


@contextmanager
def open_folder(root: int, name: str) -> Iterator[int]:
    """Raises OSError when there is none, or when it is a link."""
    if name != Path(name).name or name == "..":
        raise FileNotFoundError(name)
    with _closing(os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=root)) as descriptor:
        yield descriptor


@contextmanager
def open_file(folder: int, name: str) -> Iterator[BinaryIO]:
    """Raises OSError for what is no regular file; never waits for a pipe."""
    with _closing(os.open(name, _FILE, dir_fd=folder)) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(name)
        with os.fdopen(descriptor, "rb", _BUFFER, closefd=False) as file:
            yield file


def project_folders(root: int) -> dict[str, os.stat_result]:
    """Every folder by its name."""
    found = {}
    with os.scandir(root) as entries:
        for entry in entries:
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    found[entry.name] = status
    return found


def session_files(folder: int) -> dict[str, os.stat_result]:
    """Every session of a folder by its id; files of other names belong to other things."""
    found = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not _SESSION.fullmatch(entry.name):
                continue
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    found[entry.name.removesuffix(entry.name[-6:])] = status
    return found


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
