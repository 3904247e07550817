"""A folder of packages: folders, folders of versions, and archives beside them."""

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from kombuse_registry import names, versions
from kombuse_registry.archive import read_archive
from kombuse_registry.errors import FeedError
from kombuse_sdk.errors import KombuseError
from kombuse_sdk.feeds import Download, PackageVersion, Progress

__all__ = ["FilesystemFeed"]

_MANIFEST = "manifest.json"
_SUFFIX = ".tar.gz"
_LARGEST_MANIFEST = 1 << 20
_VERSIONED = re.compile(rf"({names.PACKAGE})-(v?\d+\.\d+\.\d+(?:[-+].+)?)")


class FilesystemFeed:
    """Only names and manifests are read, of an archive only what its file name does not tell.

    A package is named like its folder. `<name>.tar.gz` beside the folder `<name>` is what an
    export left there, and is not listed. A folder that does not exist has no packages.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = f"fs:{folder}"
        self.name = f"Filesystem ({folder.name})"

    def packages(self) -> list[PackageVersion]:
        found: dict[str, list[PackageVersion]] = {}
        for version in self._found(sorted(self._entries())):
            found.setdefault(version.name, []).append(version)
        return [_newest_first(found[name])[0] for name in sorted(found)]

    def versions(self, name: str) -> list[PackageVersion]:
        if not names.is_package(name):
            return []
        mine = [
            entry
            for entry in sorted(self._entries())
            if entry == name or _stem(entry) == name or _parts(entry)[0] == name
        ]
        return _newest_first(list(self._found(mine)))

    def download(
        self, version: PackageVersion, folder: Path, progress: Progress | None = None
    ) -> Download:
        """A folder is used in place; an archive is copied, so that it cannot change any more."""
        if version.directory is not None:
            return Download(path=version.directory, checksum=None)
        source = Path(version.download_url or "")
        target = folder / f"package{_SUFFIX}"
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise FeedError(self.id, f"{source.name}: {error.strerror}") from error
        if progress:
            progress(target.stat().st_size, target.stat().st_size)
        return Download(path=target, checksum=None)

    def _entries(self) -> list[str]:
        try:
            return [path.name for path in self.folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise FeedError(self.id, str(error.strerror)) from error

    def _found(self, entries: list[str]) -> Iterator[PackageVersion]:
        folders = {entry for entry in entries if not entry.endswith(_SUFFIX)}
        for entry in entries:
            path = self.folder / entry
            if entry in folders and names.is_package(entry):
                yield from self._of_folder(path)
            elif entry.endswith(_SUFFIX) and _stem(entry) not in folders:
                found = self._of_archive(path)
                if found and names.is_package(found.name) and path.is_file():
                    yield found

    def _of_folder(self, path: Path) -> Iterator[PackageVersion]:
        manifest = _manifest(path)
        if manifest:
            yield replace(self._version(path.name, manifest), directory=path)
            return
        try:
            entries = sorted(entry.name for entry in path.iterdir())
        except OSError:
            return
        for entry in filter(versions.parse, entries):
            manifest = _manifest(path / entry)
            if manifest:
                found = self._version(path.name, manifest | {"version": entry})
                yield replace(found, directory=path / entry)

    def _of_archive(self, path: Path) -> PackageVersion | None:
        name, version = _parts(path.name)
        manifest: dict[str, Any] | None = {"name": name, "version": version}
        if version is None:
            try:
                status = path.stat()
                manifest = _packed_manifest(path, status.st_mtime_ns, status.st_size)
            except (OSError, KombuseError):
                manifest = None
        if not manifest:
            return None
        found = self._version(name or _stem(path.name), manifest)
        return replace(found, download_url=str(path), size=path.stat().st_size)

    def _version(self, name: str, manifest: dict[str, Any]) -> PackageVersion:
        description, channel = manifest.get("description"), manifest.get("channel")
        return PackageVersion(
            name=name,
            version=manifest["version"],
            type=manifest.get("type", "plugin"),
            feed_id=self.id,
            channel=channel if isinstance(channel, str) and channel else "stable",
            description=description if isinstance(description, str) else None,
            manifest=manifest,
        )


def _stem(entry: str) -> str:
    return entry.removesuffix(_SUFFIX)


def _parts(entry: str) -> tuple[str | None, str | None]:
    """Name and version of `<name>-<version>.tar.gz`."""
    match = _VERSIONED.fullmatch(_stem(entry)) if entry.endswith(_SUFFIX) else None
    return (match[1], match[2]) if match and versions.parse(match[2]) else (None, None)


def _newest_first(found: list[PackageVersion]) -> list[PackageVersion]:
    """Versions that are none come last, by their text."""
    order = versions.sort_newest_first(version.version for version in found)
    rank = {text: index for index, text in enumerate(order)}
    return sorted(found, key=lambda one: (rank.get(one.version, len(rank)), one.version))


def _manifest(folder: Path) -> dict[str, Any] | None:
    try:
        path = folder / _MANIFEST
        if path.stat().st_size > _LARGEST_MANIFEST:
            return None
        return _checked(path.read_bytes())
    except OSError:
        return None


@lru_cache(maxsize=512)
def _packed_manifest(path: Path, changed: int, size: int) -> dict[str, Any] | None:
    """Read once for each state of the file."""
    return _checked(read_archive(path).files.get(_MANIFEST, b""))


def _checked(data: bytes) -> dict[str, Any] | None:
    """A manifest that names a package, a version and a type."""
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(manifest, dict):
        return None
    needed = (manifest.get(key) for key in ("name", "version", "type"))
    return manifest if all(isinstance(value, str) and value for value in needed) else None
