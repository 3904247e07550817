"""What the API tells of the session files of Claude Code; everything here reads files."""

import asyncio
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, BinaryIO, TypeVar

from kombuse_plugins.claude_code import folders
from kombuse_plugins.claude_code.session_lists import SessionLists
from kombuse_plugins.claude_code.session_page import page
from kombuse_plugins.claude_code.session_report import Report
from kombuse_plugins.claude_code.session_watch import NewSession, SessionWatch
from kombuse_sdk.errors import NotFound, TooLarge, Unavailable
from kombuse_sdk.sql import JsonText

__all__ = ["SessionFiles"]

T = TypeVar("T")
_THREADS = 2
_MOST_REPORTS = 32
_LARGEST = 8 * 1024**3
_SECONDS = 30.0


@dataclass(slots=True)
class _Known:
    """The report of a file, and of which state of it."""

    report: Report = field(default_factory=Report)
    state: tuple[int, int] = (0, 0)
    lock: threading.Lock = field(default_factory=threading.Lock)


class SessionFiles:
    """Threads of its own, so that large files do not keep other work waiting."""

    def __init__(self) -> None:
        self.lists = SessionLists()
        self._watch = SessionWatch(self.lists)
        self._threads = ThreadPoolExecutor(_THREADS, "claude-files")
        self._known: OrderedDict[tuple[int, int], _Known] = OrderedDict()
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def close(self) -> None:
        """Without waiting for what is read."""
        self._closing.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def read(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def new_sessions(self) -> list[NewSession]:
        """Those that came since the last call; none at the first."""
        return self._watch.poll()

    def projects(self) -> list[dict[str, Any]]:
        return self.lists.projects()

    def sessions(self, path: str) -> dict[str, Any]:
        shown = [
            {
                "sessionId": listed.session_id,
                "messageCount": listed.messages,
                "isEstimate": listed.is_estimate,
                "created": listed.created,
                "modified": listed.modified,
                "gitBranch": listed.branch,
                "projectPath": path,
            }
            for listed in self.lists.sessions(path)
        ]
        return {"sessions": shown}

    def session(self, path: str, session_id: str, offset: int, limit: int) -> JsonText:
        """NotFound; Unavailable when the file is so large that it has to be asked for again."""
        with suppress(OSError), folders.open_root() as root:
            for name in folders.folder_names(path):
                with (
                    suppress(OSError),
                    folders.open_folder(root, name) as folder,
                    folders.open_file(folder, f"{session_id}.jsonl") as file,
                ):
                    return self._page(file, session_id, offset, limit)
        raise NotFound("Session not found")

    def _page(self, file: BinaryIO, session_id: str, offset: int, limit: int) -> JsonText:
        status = os.fstat(file.fileno())
        size, state = status.st_size, (status.st_size, status.st_mtime_ns)
        if size > _LARGEST:
            raise TooLarge("The session file is too large")
        known = self._of((status.st_dev, status.st_ino))
        with known.lock:
            if known.state != state:
                if not known.report.goes_on(file, size):
                    known.report = Report()
                known.state = (0, 0)
                stop = monotonic() + _SECONDS
                if not known.report.read(
                    file, size, lambda: monotonic() > stop or self._closing.is_set()
                ):
                    raise Unavailable("The session file is being read: try again")
                known.state = state
            return page(file, known.report, session_id, offset, limit)

    def _of(self, key: tuple[int, int]) -> _Known:
        with self._lock:
            known = self._known.setdefault(key, _Known())
            self._known.move_to_end(key)
            if len(self._known) > _MOST_REPORTS:
                self._known.popitem(last=False)
            return known
