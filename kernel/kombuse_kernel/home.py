"""The home folder: ours alone, one server at a time, and the file that says where it listens.

The home itself may be a link, as long as the link and what it points to belong to this user;
everything that the server writes inside it may not, for whoever plants one chooses what is written.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from kombuse_kernel.config import Config
from kombuse_sdk.home import write_private

__all__ = ["HomeTaken", "HomeUnsafe", "announced_port", "hold", "prepare"]

_SQLITE_SUFFIXES = ("", "-wal", "-shm", "-journal")


class HomeTaken(Exception):
    """Another process uses the home or its database; `pid` is 0 when it cannot be told."""

    def __init__(self, path: Path, pid: int) -> None:
        super().__init__(path)
        self.path = path
        self.pid = pid


class HomeUnsafe(Exception):
    """The home, or a file in it, is not this user's own."""


def prepare(config: Config) -> None:
    """Make the home, readable by nobody else. Raises OSError or HomeUnsafe."""
    home = config.home
    _require_own(home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _require_own(home)
    if stat.S_IMODE(home.stat().st_mode) & 0o077 and _is_ours(config):
        home.chmod(0o700)
    for path in _written(config):
        if path.is_symlink():
            raise HomeUnsafe(f"{path} is a symbolic link: remove it, the server would write there")


@contextmanager
def hold(config: Config) -> Iterator[None]:
    """Keep other servers off this home and this database, until the end of the block or process."""
    locks = [config.lock_file]
    if config.database_path.parent != config.home:
        locks.append(config.database_path.with_name(config.database_path.name + ".lock"))
    with ExitStack() as stack:
        for path in locks:
            stack.enter_context(_lock(path))
        config.port_file.unlink(missing_ok=True)  # of a server that was killed
        yield


@contextmanager
def announced_port(config: Config) -> Iterator[None]:
    """The file `server-port`, by which clients find the server, for as long as it listens."""
    path = config.port_file
    write_private(path, str(config.port))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            written = os.read(descriptor, 20).strip()
            raise HomeTaken(path, int(written) if written.isdigit() else 0) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        os.close(descriptor)


def _require_own(home: Path) -> None:
    """A link counts as well as what it points to: in a shared folder somebody else may set it."""
    for status in (_status(home, follow=False), _status(home, follow=True)):
        if status is not None and status.st_uid != os.geteuid():
            raise HomeUnsafe(f"{home} belongs to another user: choose a folder of your own")
    if home.exists() and not home.is_dir():
        raise NotADirectoryError(f"{home} is not a folder")


def _status(path: Path, *, follow: bool) -> os.stat_result | None:
    try:
        return path.stat(follow_symlinks=follow)
    except FileNotFoundError:
        return None


def _is_ours(config: Config) -> bool:
    """A folder with other things in it keeps its mode: somebody may have named it by mistake."""
    return config.lock_file.exists() or not any(config.home.iterdir())


def _written(config: Config) -> Iterator[Path]:
    for suffix in _SQLITE_SUFFIXES:
        yield config.database_path.with_name(config.database_path.name + suffix)
    yield from (config.lock_file, config.port_file, config.uploads, config.backups)
