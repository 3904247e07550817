"""Paths of files in packages: names that are one plain file on every system, and no two alike."""

import re
import unicodedata
from typing import Literal

from kombuse_registry.errors import UnsafeArchiveEntry
from kombuse_registry.names import is_device

__all__ = ["Paths", "file_name_problem", "folded"]

_MAX_SEGMENT = 255
_MAX_PATH = 512
_DRIVE = re.compile(r"[A-Za-z]:")


class Paths:
    """The paths of one package: none twice, none that another system takes for another's."""

    def __init__(self) -> None:
        self._kinds: dict[str, Literal["file", "folder", "implied"]] = {}
        self._spelled: dict[str, str] = {}
        self.folders = 0
        """All that there are, also those without an entry of their own."""

    def add(self, path: str, is_folder: bool) -> None:
        """Take a path with the folders that it is in; UnsafeArchiveEntry if it cannot be there."""
        problem = self._problem(path, is_folder)
        if problem:
            raise UnsafeArchiveEntry(f"{path[:100]!a} is {problem}")

    def _problem(self, path: str, is_folder: bool) -> str | None:
        problem = file_name_problem(path)
        folder = path.rpartition("/")[0]
        implied = []
        while folder and not problem and folder not in self._kinds:
            implied.append(folder)
            folder = folder.rpartition("/")[0]
        if problem or (folder and self._kinds[folder] == "file"):
            return problem or "a name inside of a file"
        for name in reversed(implied):
            self._kinds[name] = "implied"
        self.folders += len(implied) + (is_folder and path not in self._kinds)
        for name in (*reversed(implied), path):
            spelled = self._spelled.setdefault(folded(name), name)
            if spelled != name:
                return f"the same name as {spelled!a} where case is ignored"
        if path in self._kinds and not (is_folder and self._kinds[path] == "implied"):
            return "a name that is there twice"
        self._kinds[path] = "folder" if is_folder else "file"
        return None


def folded(path: str) -> str:
    """What two paths share that are one file on a system that ignores case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def file_name_problem(path: str) -> str | None:
    """Why a POSIX path is no name of a file inside of a package, on any system; or None."""
    segments = path.split("/")
    if path.startswith("/"):
        return "an absolute name"
    if ".." in segments:
        return "a name with .."
    if not path or "." in segments or "" in segments:
        return "a name with an empty segment"
    if "\\" in path or _DRIVE.match(path):
        return "a name with a backslash or drive letter"
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in path):
        return "a name with a control character"
    if not unicodedata.is_normalized("NFC", path):
        return "a name that is not in Unicode's form NFC"
    if len(path.encode()) > _MAX_PATH:
        return f"a name of more than {_MAX_PATH} bytes"
    if any(len(segment.encode()) > _MAX_SEGMENT for segment in segments):
        return f"a name with a segment of more than {_MAX_SEGMENT} bytes"
    if any(segment[-1] in ". " or is_device(segment) for segment in segments):
        return "a name that means something else on Windows"
    return None
