"""The projects that Claude Code has worked in, and the sessions of one."""

import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from kombuse_plugins.claude_code import folders
from kombuse_plugins.claude_code.session_index import read_index
from kombuse_plugins.claude_code.session_summary import Listed, summarize

__all__ = ["SessionLists"]

_MOST = 50_000
FileKey = tuple[str, int, int, int]


class SessionLists:
    """Remembers of each file what it has told, so that only changed files are read again."""

    def __init__(self) -> None:
        self._told: dict[FileKey, Listed] = {}

    def projects(self) -> list[dict[str, Any]]:
        """Without `isImported`; the one that was worked in last comes first."""
        sessions: dict[str, list[Listed]] = defaultdict(list)
        with suppress(OSError), folders.open_root() as root:
            for name in folders.project_folders(root):
                for listed in self._in_folder(root, name):
                    if listed.path is not None:
                        sessions[listed.path].append(listed)
        found = [_project(path, members) for path, members in sessions.items()]
        return sorted(found, key=lambda project: project["lastAccessed"], reverse=True)

    def sessions(self, path: str) -> list[Listed]:
        """The newest first; empty for a folder that Claude Code has never worked in."""
        with suppress(OSError), folders.open_root() as root:
            found = [
                listed
                for name in folders.folder_names(path)
                for listed in self._in_folder(root, name)
                if listed.path in (path, None)
            ]
            return sorted(found, key=lambda listed: listed.modified, reverse=True)
        return []

    def listed(self, folder: int, session_id: str, status: os.stat_result) -> Listed | None:
        """What the file with that status tells; None when it is gone or cannot be read."""
        key = (session_id, status.st_ino, status.st_size, status.st_mtime_ns)
        found = self._told.get(key)
        if found is None:
            with suppress(OSError), folders.open_file(folder, f"{session_id}.jsonl") as file:
                found = summarize(file, os.fstat(file.fileno()), session_id)
                if len(self._told) >= _MOST:
                    self._told.clear()
                self._told[key] = found
        return found

    def _in_folder(self, root: int, name: str) -> list[Listed]:
        found: list[Listed | None] = []
        original = None
        with suppress(OSError), folders.open_folder(root, name) as folder:
            index, files = read_index(folder), folders.session_files(folder)
            original = index.path
            for session_id, entry in index.entries.items():
                status = files.get(session_id)
                if status is None or not entry.is_outdated(status):
                    files.pop(session_id, None)
                    found.append(entry.listed)
            found += [self.listed(folder, *file) for file in files.items()]
        return list(_with_paths([one for one in found if one is not None], name, original))


def _with_paths(found: list[Listed], name: str, original: str | None) -> Iterator[Listed]:
    """A session may begin in, or move to, a folder below its project's; that is not its project."""
    fitting = {
        listed.path
        for listed in found
        if listed.path is not None and name in folders.folder_names(listed.path)
    }
    told = (listed.path for listed in found if listed.path is not None)
    home = original or next(iter(sorted(fitting)), None) or next(told, None)
    for listed in found:
        yield listed if listed.path in fitting else replace(listed, path=home)


def _project(path: str, sessions: list[Listed]) -> dict[str, Any]:
    newest = max(sessions, key=lambda listed: listed.modified)
    return {
        "name": PurePosixPath(path).name or path,
        "path": path,
        "lastAccessed": newest.modified,
        "totalSessions": len(sessions),
        "totalMessages": sum(listed.messages for listed in sessions),
        "gitBranch": newest.branch,
    }
