"""The application packages of a home: unpacked aside, moved to their place, and switched by a link.

`v<version>` are whole packages, `current` links to the one that the next start runs, `previous` to
the one before it (or to `bundled`, where it was the server that came with the command line).
"""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from kombuse_plugins.updates.app_manifest import MANIFEST
from kombuse_plugins.updates.states import NothingToGoBackTo
from kombuse_registry import versions
from kombuse_registry.archive import Archive, unpack
from kombuse_registry.disk import make_private
from kombuse_registry.errors import IntegrityError
from kombuse_sdk.errors import Conflict
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.updates import InstalledVersion

__all__ = ["VersionStore", "exclusive"]

_BUNDLED = "bundled"
_NEWEST_KEPT = 3
_STAGING = ".staging-"


class VersionStore:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """One process at a time; what one that died has left behind is removed."""
        with exclusive(self.folder / ".lock"):
            self._sweep()
            yield

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder beside the versions, of the same file system, gone at the end."""
        folder = self.folder / f"{_STAGING}{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, version: str) -> Path:
        return self.folder / f"v{version}"

    def unpack(self, archive: Archive, folder: Path) -> None:
        """Whole and on the disk."""
        unpack(archive, folder)
        for path in folder.rglob("*"):
            _sync(path)
        _sync(folder)

    def add(self, archive: Archive, unpacked: Path, version: str) -> None:
        """Move an unpacked version to its place; the same one may be there already.

        Raises IntegrityError when another package of this version is.
        """
        place = self.place(version)
        if place.exists():
            _require_same(place, archive)
            return
        unpacked.rename(place)
        _sync(self.folder)

    def switch(self, version: str) -> None:
        """What is current becomes the previous version, then this one current."""
        former = self._target("current")
        if former == self.place(version).name:
            return
        self._link("previous", former or _BUNDLED)
        self._link("current", self.place(version).name)

    def go_back(self) -> None:
        """Make the previous version current. Raises Conflict when there is none."""
        previous = self._target("previous")
        is_there = previous == _BUNDLED or (previous and (self.folder / previous).is_dir())
        if previous is None or not is_there or previous == self._target("current"):
            raise NothingToGoBackTo
        if previous == _BUNDLED:
            (self.folder / "current").unlink(missing_ok=True)
        else:
            self._link("current", previous)
        (self.folder / "previous").unlink()
        _sync(self.folder)

    def versions(self) -> list[InstalledVersion]:
        """The newest first; folders without a manifest are none."""
        current = self._target("current")
        found = {path.name.removeprefix("v"): path for path in self._folders()}
        return [
            InstalledVersion(
                version=version,
                path=str(found[version]),
                is_current=found[version].name == current,
                installed_at=_time_of(found[version] / MANIFEST),
            )
            for version in versions.sort_newest_first(found)
        ]

    def prune(self) -> None:
        """Keep the newest, the current and the previous one."""
        kept = {self._target("current"), self._target("previous")}
        for item in self.versions()[_NEWEST_KEPT:]:
            if Path(item.path).name not in kept:
                shutil.rmtree(item.path)

    def _folders(self) -> Iterator[Path]:
        for path in self.folder.glob("v*"):
            is_version = versions.is_version(path.name.removeprefix("v"))
            if is_version and not path.is_symlink() and (path / MANIFEST).is_file():
                yield path

    def _target(self, name: str) -> str | None:
        try:
            return (self.folder / name).readlink().name
        except OSError:
            return None

    def _link(self, name: str, target: str) -> None:
        """Readers find the old link or the new one."""
        temporary = self.folder / f".{name}-{secrets.token_hex(8)}"
        temporary.symlink_to(target)
        try:
            temporary.replace(self.folder / name)
        except OSError:
            temporary.unlink()
            raise
        _sync(self.folder)

    def _sweep(self) -> None:
        for left in self.folder.glob(".*-*"):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left)
            else:
                left.unlink()


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file. Raises Conflict when another process or thread does."""
    make_private(path.parent)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict("Update already in progress") from None
        yield
    finally:
        os.close(descriptor)


def _require_same(folder: Path, archive: Archive) -> None:
    """What Python has compiled in it does not count."""
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts and not path.is_dir()
    }
    if there != set(archive.files) or any(
        (folder / name).is_symlink() or (folder / name).read_bytes() != content
        for name, content in archive.files.items()
    ):
        raise IntegrityError(f"{folder.name} is installed already, with other content")


def _time_of(path: Path) -> str:
    return timestamp(datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EROFS):
            raise
    finally:
        os.close(descriptor)
