"""Changing files of other programs: all or nothing, with their mode, never outside their place.

What is made in a project's folder may be read by those who can read the folder, for the server's
own umask shuts out everybody else; what is made elsewhere is private.
"""

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from kombuse_sdk.whole_files import replace

__all__ = ["Change", "Reversible", "create_empty", "edit", "is_denied", "make_folder", "reason"]

Change = Callable[[bytes | None], bytes | None]
# Two requests that edit one file must not lose each other's change.
_editing = threading.Lock()


def edit(
    path: Path, change: Change, *, inside: Path | None = None, is_private: bool = False
) -> bool:
    """Replace what a file holds by what `change` makes of it; None leaves it alone (False).

    `change` is given None when there is no file; missing folders are made for a new one. A link
    stays a link: the file behind it is replaced. Raises OSError, or ValueError when the file is not
    a plain one or, where `inside` is given, not below that folder. With `is_private` nobody but
    its owner may read the file from then on.
    """
    openness = 0o600 if is_private else 0o777
    with _editing:
        real = _real_path(path, inside)
        status = _status(real)
        if status is not None and not stat.S_ISREG(status.st_mode):
            raise ValueError(f"{path} is not a file")
        new = change(None if status is None else real.read_bytes())
        if new is None:
            return False
        if status is None:
            _make(real.parent, inside)
            replace(real, new, _openness(inside) & 0o666 & openness)
        elif os.access(real, os.W_OK):
            replace(real, new, stat.S_IMODE(status.st_mode) & openness)
        else:
            raise PermissionError(f"{path} is read-only")
        return True


class Reversible:
    """An edit of one file that can be taken back to the last byte.

    What the file held before is kept in a folder of ours: as a backup for the person, and to tell
    whether the file is still exactly what the edit made of it.
    """

    def __init__(self, path: Path, backups: Path) -> None:
        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        self.path = path
        self.backup = backups / f"{name}-{path.name.lstrip('.')}"

    def apply(self, change: Change, *, is_new: bool) -> bool:
        """Whether `change` changed the file; `is_new` says that this begins the edit."""

        def changed(data: bytes | None) -> bytes | None:
            new = change(data)
            if new is not None and is_new:
                self._keep(data)
            return new

        return edit(self.path, changed)

    def take_back(self, change: Change, otherwise: Change) -> bool:
        """Restore what was before `change`; if the file was edited since, apply `otherwise`."""
        before = self.backup.read_bytes() if self.backup.exists() else None
        made = change(before)
        if made is not None and before is None and _remove(self.path, made):
            return True

        def changed(data: bytes | None) -> bytes | None:
            return before if made is not None and data == made else otherwise(data)

        return edit(self.path, changed)

    def _keep(self, data: bytes | None) -> None:
        self.backup.unlink(missing_ok=True)
        if data is not None:
            self.backup.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            replace(self.backup, data)


def create_empty(path: Path) -> bool:
    """False when something of that name is there, be it a link to nothing."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return False
    path.chmod(_openness(path.parent) & 0o666)
    return True


def make_folder(path: Path, inside: Path) -> bool:
    """False when it is there. Raises OSError or ValueError like `edit`."""
    if path.is_dir():
        return False
    real = _real_path(path, inside)
    _make(real.parent, inside)
    real.mkdir()
    real.chmod(_openness(inside))
    return True


def is_denied(error: OSError) -> bool:
    """Whether the place is one where nothing may be written, and not something else failed."""
    return isinstance(error, PermissionError) or error.errno == errno.EROFS


def reason(error: Exception) -> str:
    """What to tell the person about a failure."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__


def _real_path(path: Path, inside: Path | None) -> Path:
    real = Path(os.path.realpath(path))
    if inside is not None and not real.is_relative_to(os.path.realpath(inside)):
        raise ValueError(f"{path} is a link that leads out of {inside}")
    return real


def _status(real: Path) -> os.stat_result | None:
    try:
        return real.stat()
    except FileNotFoundError:
        return None


def _remove(path: Path, data: bytes) -> bool:
    """Remove a plain file that holds exactly this."""
    with _editing:
        if path.is_symlink() or not path.is_file() or path.read_bytes() != data:
            return False
        path.unlink()
        return True


def _openness(folder: Path | None) -> int:
    """Who may enter a folder, and so may read, but never write, what is made in it."""
    return 0o700 if folder is None else stat.S_IMODE(folder.stat().st_mode) & 0o2755


def _make(folder: Path, inside: Path | None) -> None:
    mode = _openness(inside)
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        path.chmod(mode)
