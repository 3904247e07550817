"""Permission files: what people allow and deny by hand, and what "always allow" adds.

`permissions.json` of the home counts everywhere, `.kombuse/permissions.json` of a project's folder
in that project: `{"permissions": {"allow": [...], "deny": [...]}}`. An entry `Bash(git status *)`
or `Bash(git status)` is the prefix of a command, anything else the name of a tool. A file that
cannot be understood counts as empty, and is never written.
"""

import logging
import os
import re
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kombuse_plugins.permissions.rules import NO_RULES, Rules
from kombuse_sdk import config_files, json_files

__all__ = ["FileRules", "PermissionFiles", "project_file"]

log = logging.getLogger("kombuse.permissions")
MAX_BYTES = 256 * 1024
MAX_CACHED = 256
_COMMAND = re.compile(r"Bash\((?P<prefix>.+?)(?: \*|:\*)?\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FileRules:
    allow: Rules = NO_RULES
    deny: Rules = NO_RULES


def project_file(folder: str) -> Path:
    return Path(folder) / ".kombuse" / "permissions.json"


class PermissionFiles:
    """Reads the files again only when they have changed. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[Any, FileRules]] = {}

    def read(self, path: Path) -> FileRules:
        try:
            state = _state(path)
        except (OSError, ValueError):
            return FileRules()
        with self._lock:
            known = self._known.get(path)
        if known is not None and known[0] == state:
            return known[1]
        found = _load(path)
        with self._lock:
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            self._known[path] = (state, found)
        return found

    def allow(self, folder: str, entry: str) -> bool:
        """Add an entry to the file of a project; False when it is there already.

        Raises OSError or ValueError (with a reason for the person) and changes nothing.
        """

        def change(data: bytes | None) -> bytes | None:
            if data is not None and len(data) > MAX_BYTES:
                raise ValueError("the file is too large")
            content = json_files.parse(data)
            allowed = _list(_object(content, "permissions"), "allow")
            if entry in allowed:
                return None
            allowed.append(entry)
            return json_files.render(content, data)

        return config_files.edit(project_file(folder), change, inside=Path(folder))


def _state(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return (status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns)


def _load(path: Path) -> FileRules:
    try:
        lists = json_files.parse(_bytes(path)).get("permissions")
    except (OSError, ValueError) as error:
        log.warning("%s does not count: %s", path, error)
        return FileRules()
    if not isinstance(lists, dict):
        return FileRules()
    return FileRules(_rules(lists.get("allow")), _rules(lists.get("deny")))


def _bytes(path: Path) -> bytes:
    """Raises ValueError for what is no plain file of a sensible size: no pipe is waited for."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a file")
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError("too large")
    return data


def _rules(entries: Any) -> Rules:
    tools: set[str] = set()
    commands: set[str] = set()
    for entry in entries if isinstance(entries, list) else ():
        if not isinstance(entry, str):
            continue
        command = _COMMAND.fullmatch(entry)
        if command:
            commands.add(command["prefix"])
        else:
            tools.add(entry)
    return Rules(frozenset(tools), frozenset(commands))


def _object(content: dict[str, Any], key: str) -> dict[str, Any]:
    value = content.setdefault(key, {})
    if not isinstance(value, dict):
        raise ValueError(f"{key} is not an object")
    return value


def _list(content: dict[str, Any], key: str) -> list[Any]:
    value = content.setdefault(key, [])
    if not isinstance(value, list):
        raise ValueError(f"{key} is not a list")
    return value
