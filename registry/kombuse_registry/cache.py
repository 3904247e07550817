"""Packages that were fetched: kept by the hash of their bytes, checked at every use."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from kombuse_registry import versions
from kombuse_registry.archive import Archive, read_archive, unpack
from kombuse_registry.disk import locked, make_private, replace
from kombuse_registry.errors import IntegrityError
from kombuse_sdk.feeds import Feed, PackageVersion, Progress

__all__ = ["CachedPackage", "PackageCache", "is_local"]

_CHUNK = 1 << 20
_GRACE_SECONDS = 3600.0
_NEWEST_KEPT = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedPackage:
    """An archive and the folder that it was unpacked to; `checksum` is the hex SHA-256."""

    checksum: str
    size: int
    archive: Path
    directory: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """What a feed handed out under a name and version, once and for all."""

    feed_id: str
    name: str
    version: str
    checksum: str


class PackageCache:
    """Below `folder`: `blobs/sha256/<hex>`, `trees/sha256/<hex>` with `<hex>.json`, and `index`.

    The list `<hex>.json` has the hash of every file of a tree. The index remembers what each feed
    handed out: other bytes for the same version are refused, also when the first are long gone.
    Packages of folders on this machine may change, and are never in the index.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._trees = folder / "trees" / "sha256"
        self._index = folder / "index"
        self._temporary = folder / "tmp"

    def get(self, feed_id: str, name: str, version: str) -> CachedPackage | None:
        """A package that is here and whole; what is damaged is made again or counts as absent."""
        entry = self._entry(feed_id, name, version)
        return self._usable(entry.checksum) if entry else None

    def fetch(
        self, feed: Feed, version: PackageVersion, progress: Progress | None = None
    ) -> CachedPackage:
        """The package of a version that is no folder, downloaded unless it is here.

        Raises what `feed.download` and `read_archive` raise, and IntegrityError.
        """
        if is_local(feed.id):
            return self._download(feed, version, None, progress)
        key = _key(feed.id, version.name, version.version)
        with locked(self._lock(key)):
            entry = self._entry(feed.id, version.name, version.version)
            if entry and version.checksum:
                _require_same(entry, version.checksum)
            cached = self._usable(entry.checksum) if entry else None
            if cached:
                return cached
            cached = self._download(feed, version, entry, progress)
            if entry is None:
                self._remember(key, feed.id, version, cached.checksum)
            return cached

    def add(self, archive: Path) -> CachedPackage:
        """Take in an archive of this machine, which stays where it is."""
        with self._workspace() as work:
            copy = Path(work) / "package.tar.gz"
            shutil.copyfile(archive, copy)
            return self._store(read_archive(copy))

    def feeds_of(self, name: str) -> set[str]:
        """The ids of the feeds that a package of this name ever came from."""
        return {entry.feed_id for entry in self._entries() if entry.name == name}

    def forget(self, feed_id: str, name: str, version: str) -> bool:
        """Let a feed hand out other bytes for a version: the person knows why they changed."""
        key = _key(feed_id, name, version)
        with locked(self._lock(key)):
            try:
                self._index_file(key).unlink()
            except FileNotFoundError:
                return False
        return True

    def prune(
        self,
        keep: Collection[str],
        *,
        newest: int = _NEWEST_KEPT,
        grace_seconds: float = _GRACE_SECONDS,
    ) -> int:
        """Remove archives and trees, and count them.

        Kept are the checksums in `keep` (those of installed packages), the newest versions of each
        package of each feed, and what was used just now by whoever is about to install it.
        """
        before = time.time() - grace_seconds
        kept = set(keep) | self._newest(newest)
        removed = 0
        for blob in _listed(self._blobs):
            with locked(self._lock(blob.name)):
                if blob.name not in kept and blob.stat().st_mtime < before:
                    self._remove_tree(blob.name)
                    blob.unlink()
                    removed += 1
        for left_over in self._left_over():
            with suppress(FileNotFoundError):
                if left_over.stat().st_mtime < before:
                    remove = shutil.rmtree if left_over.is_dir() else Path.unlink
                    remove(left_over)
        return removed

    def _left_over(self) -> Iterator[Path]:
        """What is being written, or was when a process was killed."""
        yield from _listed(self._temporary)
        for folder in (self._blobs, self._trees, self._index):
            yield from folder.glob(".*")

    def _download(
        self, feed: Feed, version: PackageVersion, entry: _Entry | None, progress: Progress | None
    ) -> CachedPackage:
        with self._workspace() as work:
            downloaded = feed.download(version, Path(work), progress)
            archive = read_archive(downloaded.path)
            if version.checksum and version.checksum != archive.checksum:
                raise IntegrityError.mismatch(version.checksum, archive.checksum)
            if entry:
                _require_same(entry, archive.checksum)
            return self._store(archive)

    def _store(self, archive: Archive) -> CachedPackage:
        with locked(self._lock(archive.checksum)):
            make_private(self._blobs)
            archive.path.replace(self._blobs / archive.checksum)
            if not self._is_whole(archive.checksum):
                self._unpack(archive)
            return self._cached(archive.checksum)

    def _usable(self, checksum: str) -> CachedPackage | None:
        blob = self._blobs / checksum
        with locked(self._lock(checksum)):
            if not blob.is_file() or _hash(blob) != checksum:
                return None
            if not self._is_whole(checksum):
                self._unpack(read_archive(blob))
            os.utime(blob)
            return self._cached(checksum)

    def _cached(self, checksum: str) -> CachedPackage:
        blob = self._blobs / checksum
        return CachedPackage(
            checksum=checksum,
            size=blob.stat().st_size,
            archive=blob,
            directory=self._trees / checksum,
        )

    def _unpack(self, archive: Archive) -> None:
        """The list of hashes comes last: a tree without it is not whole."""
        self._remove_tree(archive.checksum)
        make_private(self._trees)
        unpack(archive, self._trees / archive.checksum)
        hashes = {
            path: hashlib.sha256(content).hexdigest() for path, content in archive.files.items()
        }
        replace(self._hashes_file(archive.checksum), json.dumps(hashes).encode())

    def _is_whole(self, checksum: str) -> bool:
        tree = self._trees / checksum
        try:
            expected = json.loads(self._hashes_file(checksum).read_bytes())
            return bool(expected == dict(_hashes(tree, tree)))
        except (OSError, ValueError):
            return False

    def _remove_tree(self, checksum: str) -> None:
        self._hashes_file(checksum).unlink(missing_ok=True)
        tree = self._trees / checksum
        if tree.exists():
            shutil.rmtree(tree)

    def _hashes_file(self, checksum: str) -> Path:
        return self._trees / f"{checksum}.json"

    def _workspace(self) -> tempfile.TemporaryDirectory[str]:
        make_private(self._temporary)
        return tempfile.TemporaryDirectory(dir=self._temporary)

    def _lock(self, key: str) -> Path:
        return self.folder / "locks" / f"{key}.lock"

    def _index_file(self, key: str) -> Path:
        return self._index / f"{key}.json"

    def _remember(self, key: str, feed_id: str, version: PackageVersion, checksum: str) -> None:
        entry = _Entry(
            feed_id=feed_id, name=version.name, version=version.version, checksum=checksum
        )
        replace(self._index_file(key), json.dumps(asdict(entry)).encode())

    def _entry(self, feed_id: str, name: str, version: str) -> _Entry | None:
        return _read(self._index_file(_key(feed_id, name, version)))

    def _entries(self) -> Iterator[_Entry]:
        return filter(None, map(_read, _listed(self._index)))

    def _newest(self, most: int) -> set[str]:
        packages: dict[tuple[str, str], dict[str, str]] = {}
        for entry in self._entries():
            found = packages.setdefault((entry.feed_id, entry.name), {})
            found[entry.version] = entry.checksum
        return {
            found[version]
            for found in packages.values()
            for version in versions.sort_newest_first(found)[:most]
        }


def is_local(feed_id: str) -> bool:
    """Whether a feed is a folder of this machine, whose content changes as its owner works."""
    return feed_id.startswith("fs:")


def _require_same(entry: _Entry, checksum: str) -> None:
    if entry.checksum != checksum:
        raise IntegrityError(
            f"{entry.name}@{entry.version} was published again with other content: "
            f"expected {entry.checksum[:12]}..., got {checksum[:12]}..."
        )


def _key(feed_id: str, name: str, version: str) -> str:
    """A file name that no name, version or address can lead out of its folder."""
    return hashlib.sha256("\0".join((feed_id, name, version)).encode()).hexdigest()


def _read(path: Path) -> _Entry | None:
    """A damaged entry raises: without it, changed bytes would pass unnoticed."""
    try:
        return _Entry(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        raise IntegrityError(f"the cache entry {path.name} is damaged; remove it") from None


def _listed(folder: Path) -> list[Path]:
    """Without what is being written just now."""
    paths = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in paths if not path.name.startswith("."))


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _hashes(folder: Path, root: Path) -> Iterator[tuple[str, str]]:
    """All that is below a folder; what is no plain file has a hash that none has."""
    for path in folder.iterdir():
        name = path.relative_to(root).as_posix()
        if path.is_symlink() or not (path.is_dir() or path.is_file()):
            yield name, ""
        elif path.is_dir():
            yield from _hashes(path, root)
        else:
            yield name, _hash(path)
