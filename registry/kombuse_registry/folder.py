"""Packages that lie in a folder: read whole under the rules of archives, links never followed."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kombuse_registry.archive import LIMITS, Limits
from kombuse_registry.errors import UnsafeArchiveEntry
from kombuse_registry.paths import Paths

__all__ = ["IGNORED", "FolderContent", "read_folder"]

IGNORED = frozenset(
    {
        *(".git", ".hg", ".svn", ".DS_Store", ".idea", ".vscode", "Thumbs.db"),
        *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".tox", ".nox"),
        *(".venv", "venv", "node_modules", ".env"),
    }
)
"""Names that are no part of a package, at any depth. Nor is `*.pyc`, nor what builds leave."""

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FolderContent:
    """Regular files by their POSIX paths, in byte order."""

    files: dict[str, bytes]
    executables: frozenset[str]


def read_folder(folder: Path, limits: Limits = LIMITS) -> FolderContent:
    """Everything below a folder; UnsafeArchiveEntry, ArchiveTooLarge, or OSError."""
    files: dict[str, bytes] = {}
    executables = set()
    total = 0
    for path, descriptor in _walk(folder, limits):
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise UnsafeArchiveEntry(f"{path[:100]!a} is no regular file")
            content = file.read(limits.file + 1)
        total += len(content)
        limits.check_file(path, len(content))
        limits.check_unpacked(total)
        files[path] = content
        if mode & 0o100:
            executables.add(path)
    ordered = {path: files[path] for path in sorted(files, key=str.encode)}
    return FolderContent(ordered, frozenset(executables))


def _walk(folder: Path, limits: Limits) -> Iterator[tuple[str, int]]:
    """Each file with an open descriptor of it. Only the folder itself may be a link."""
    folder = folder.resolve()
    paths = Paths()
    number = 0
    for name, folders, names, descriptor in os.fwalk(folder, onerror=_raise):
        place = Path(name).relative_to(folder).as_posix()
        prefix = "" if place == "." else f"{place}/"
        folders[:] = sorted(_kept(folders, prefix))
        for entry in (*folders, *sorted(_kept(names, prefix))):
            number += 1
            limits.check_entries(number, paths.folders)
            mode = os.stat(entry, dir_fd=descriptor, follow_symlinks=False).st_mode
            is_folder = stat.S_ISDIR(mode)
            path = prefix + entry
            if not is_folder and not stat.S_ISREG(mode):
                raise UnsafeArchiveEntry(f"{path[:100]!a} is a link, or no regular file")
            paths.add(path, is_folder)
            if not is_folder:
                yield path, os.open(entry, _FLAGS, dir_fd=descriptor)


def _kept(names: list[str], prefix: str) -> Iterator[str]:
    for name in names:
        is_built = name == "dist" or name.endswith(".tar.gz")
        if name not in IGNORED and not name.endswith(".pyc") and (prefix or not is_built):
            yield name


def _raise(error: OSError) -> None:
    raise error
