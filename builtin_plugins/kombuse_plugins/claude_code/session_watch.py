"""Notices new session files, by looking only into folders that have changed."""

from contextlib import suppress
from dataclasses import dataclass

from kombuse_plugins.claude_code import folders
from kombuse_plugins.claude_code.session_lists import SessionLists

__all__ = ["NewSession", "SessionWatch"]


@dataclass(frozen=True, slots=True)
class NewSession:
    session_id: str
    path: str


class SessionWatch:
    """Not for several threads at once."""

    def __init__(self, lists: SessionLists) -> None:
        self._lists = lists
        self._folders: dict[str, int] = {}
        self._known: dict[str, set[str]] = {}
        self._is_first = True

    def poll(self) -> list[NewSession]:
        """The sessions that came since the last call; none at the first.

        A session is not told before its file says in which folder it works.
        """
        found: list[NewSession] = []
        with suppress(OSError), folders.open_root() as root:
            present = folders.project_folders(root)
            for name, status in present.items():
                if self._folders.get(name) != status.st_mtime_ns:
                    is_settled = self._look(root, name, found)
                    self._folders[name] = status.st_mtime_ns if is_settled else 0
            for name in self._known.keys() - present.keys():
                del self._known[name], self._folders[name]
        self._is_first = False
        return found

    def _look(self, root: int, name: str, found: list[NewSession]) -> bool:
        """Whether every session that is there is known now."""
        known = self._known.setdefault(name, set())
        try:
            with folders.open_folder(root, name) as folder:
                present = folders.session_files(folder)
                known.intersection_update(present)
                if self._is_first:
                    known.update(present)
                for session_id in present.keys() - known:
                    listed = self._lists.listed(folder, session_id, present[session_id])
                    if listed is not None and listed.path is not None:
                        known.add(session_id)
                        found.append(NewSession(session_id, listed.path))
                return known == present.keys()
        except OSError:
            return True
