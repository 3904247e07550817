"""The index that Claude Code keeps of the sessions of a project, as far as it can be used."""

import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from kombuse_plugins.claude_code.folders import INDEX, open_file
from kombuse_plugins.claude_code.session_summary import Listed, moment

__all__ = ["Entry", "Index", "read_index"]

_LARGEST = 16 * 1024 * 1024
_LATE_SECONDS = 60
_MAX_MESSAGES = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """What an index tells of a session; `file_time` is that of the file then, in ms."""

    listed: Listed
    file_time: float | None

    def is_outdated(self, file: os.stat_result) -> bool:
        """Whether the file was written after the index."""
        if self.file_time is not None:
            return file.st_mtime * 1000 > self.file_time + 1
        modified = datetime.fromisoformat(self.listed.modified).timestamp()
        return file.st_mtime > modified + _LATE_SECONDS


@dataclass(frozen=True, slots=True)
class Index:
    path: str | None
    entries: dict[str, Entry]


def read_index(folder: int) -> Index:
    """An empty one when there is none, or none that can be used."""
    try:
        with open_file(folder, INDEX) as file:
            data = file.read(_LARGEST + 1)
        content = msgspec.json.decode(data) if len(data) <= _LARGEST else None
    except (OSError, ValueError, RecursionError):
        content = None
    path = _text(content, "originalPath")
    entries = content.get("entries") if path and isinstance(content, dict) else None
    found = (_entry(value) for value in entries) if isinstance(entries, list) else ()
    return Index(path, {entry.listed.session_id: entry for entry in found if entry is not None})


def _entry(value: Any) -> Entry | None:
    session_id, modified = _text(value, "sessionId"), moment(_text(value, "modified"))
    if session_id is None or modified is None:
        return None
    messages, time = value.get("messageCount"), value.get("fileMtime")
    is_count = isinstance(messages, int) and 0 <= messages <= _MAX_MESSAGES
    listed = Listed(
        session_id=session_id,
        messages=int(messages) if is_count else 0,
        created=moment(value.get("created")) or modified,
        modified=modified,
        branch=_text(value, "gitBranch"),
        path=_text(value, "projectPath"),
    )
    return Entry(listed, time if isinstance(time, int | float) else None)


def _text(value: Any, name: str) -> str | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None
