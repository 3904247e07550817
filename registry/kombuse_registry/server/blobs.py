"""Archives by their SHA-256: each is whole on the disk before anything names it."""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

__all__ = ["Blobs"]

_GRACE_SECONDS = 3600


class Blobs:
    """Files `blobs/sha256/ab/<hex>`, and `incoming/` for those that are still on their way."""

    def __init__(self, data: Path) -> None:
        self._root = data / "blobs" / "sha256"
        self._incoming = data / "incoming"

    def prepare(self) -> None:
        """Makes the folders, and removes what an earlier server did not finish receiving."""
        for folder in (self._root.parent, self._root, self._incoming):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in self._incoming.iterdir():
            path.unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        return self._root / sha256[:2] / sha256

    def new_file(self) -> tuple[int, Path]:
        """An open file for an upload. Whoever takes it removes it, unless `keep` did."""
        descriptor, name = tempfile.mkstemp(prefix="upload-", dir=self._incoming)
        return descriptor, Path(name)

    def keep(self, incoming: Path, sha256: str) -> None:
        """Give a received file its final name. The row that names it comes after."""
        target = self.path(sha256)
        target.parent.mkdir(exist_ok=True, mode=0o700)
        with incoming.open("rb") as file:
            os.fsync(file.fileno())
        incoming.replace(target)
        os.utime(target)
        for folder in (target.parent, self._root):
            _sync_folder(folder)

    def remove(self, sha256: str) -> None:
        self.path(sha256).unlink(missing_ok=True)

    def stored(self) -> list[str]:
        return sorted(path.name for path in self._root.glob("*/*"))

    def sweep(self, is_known: Callable[[str], bool]) -> int:
        """Remove what no row names; what is younger than an hour may be waiting for its row."""
        oldest = time.time() - _GRACE_SECONDS
        removed = 0
        for path in [*self._root.glob("*/*"), *self._incoming.iterdir()]:
            with suppress(FileNotFoundError):
                is_wanted = path.parent != self._incoming and is_known(path.name)
                if not is_wanted and path.stat().st_mtime < oldest:
                    path.unlink()
                    removed += 1
        return removed


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
