"""The application package of a registry: found, checked in every way, unpacked and switched to."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kombuse_plugins.updates.app_manifest import MANIFEST, AppManifest, meets
from kombuse_plugins.updates.configuration import Configuration
from kombuse_plugins.updates.installation import Installation
from kombuse_plugins.updates.states import Cycle
from kombuse_plugins.updates.version_store import VersionStore
from kombuse_registry import versions
from kombuse_registry.archive import Archive, Limits, read_archive
from kombuse_registry.errors import InvalidPackage
from kombuse_sdk.app_package import current_version, packages_folder, program_of
from kombuse_sdk.errors import BadGateway, Conflict, InsufficientStorage, KombuseError
from kombuse_sdk.feeds import PackageVersion
from kombuse_sdk.updates import InstalledVersion, Listener, UpdateInfo, UpdateStatus

if TYPE_CHECKING:
    from kombuse_registry.feeds.http import HttpFeed

__all__ = ["AppUpdater"]

_MIB = 1 << 20
_ARCHIVE_BYTES = 200 * _MIB
_LIMITS = Limits(
    packed=_ARCHIVE_BYTES, unpacked=1024 * _MIB, entries=20_000, file=200 * _MIB, ratio=200
)
_STALL_SECONDS = 60.0
_TRANSFER_SECONDS = 3600.0
_PROGRAM_SECONDS = 60.0


class AppUpdater:
    """Updates the package of one home; a newer server that came with the command line wins."""

    def __init__(self, home: Path, configuration: Configuration) -> None:
        from kombuse_registry.documents import Documents

        self._home = home
        self._configuration = configuration
        self._launcher = Installation.of_this_program().version()
        self._store = VersionStore(packages_folder(home))
        self._documents = Documents()
        self._cycle = Cycle(self._current)
        self._found: PackageVersion | None = None

    def status(self) -> UpdateStatus:
        return self._cycle.status()

    def subscribe(self, listener: Listener) -> None:
        self._cycle.subscribe(listener)

    def clear_cache(self) -> None:
        self._documents.clear()

    def check(self) -> UpdateInfo | None:
        return self._cycle.check(self._find)

    def install(self) -> None:
        self._cycle.install(self._install)

    def rollback(self) -> str:
        return self._cycle.rollback(self._go_back)

    def versions(self) -> Sequence[InstalledVersion]:
        return self._store.versions()

    def _current(self) -> str:
        linked = current_version(self._home)
        is_newer = linked is not None and versions.is_newer(linked, self._launcher)
        return linked if linked and is_newer else self._launcher

    def _find(self) -> UpdateInfo | None:
        try:
            found = self._newest(self._feed().versions(self._configuration.package))
        except (KombuseError, OSError) as error:
            raise BadGateway(f"Update check failed: {error}") from error
        self._found = found
        if found is None:
            return None
        return UpdateInfo(
            version=found.version,
            download_url=found.download_url or "",
            release_notes=found.release_notes,
            published_at=found.published_at or "",
        )

    def _newest(self, listed: Sequence[PackageVersion]) -> PackageVersion | None:
        """The newest on the channel that this server can take; an error if there are only others.

        So old servers reach a version that demands much by way of one that demands less.
        """
        if not listed:
            raise BadGateway(f"the registry has no package {self._configuration.package}")
        current = self._current()
        newer = {
            item.version: item
            for item in listed
            if item.type == "app"
            and item.channel == self._configuration.channel
            and not item.yanked
            and versions.is_version(item.version)
            and versions.is_newer(item.version, current)
        }
        ordered = [newer[text] for text in versions.sort_newest_first(newer)]
        if not ordered:
            return None
        found = next((item for item in ordered if self._unmet(item) is None), None)
        if found is None:
            raise BadGateway(f"{ordered[0].version} {self._unmet(ordered[0])}")
        return found

    def _unmet(self, item: PackageVersion) -> str | None:
        """What the metadata of a version demands that is not here."""
        wanted = item.min_kombuse_version or item.manifest.get("min_kombuse_version")
        if not meets(self._current(), wanted):
            return f"needs Kombuse {wanted}, this is {self._current()}"
        return self._unmet_launcher(item.manifest.get("minShellVersion"))

    def _unmet_launcher(self, wanted: object) -> str | None:
        if meets(self._launcher, wanted):
            return None
        return f"needs the command line {wanted}, this is {self._launcher}"

    def _install(self, info: UpdateInfo) -> None:
        found = self._found
        if found is None or found.version != info.version:
            raise Conflict("No update available")
        with _failures_told(), self._store.exclusive(), self._store.staging() as work:
            feed = self._feed(found.size)
            downloaded = feed.download(found, work, self._cycle.downloaded)
            self._cycle.verifying()
            archive = read_archive(downloaded.path, _LIMITS, roots=(MANIFEST,))
            manifest = self._manifest(archive, info.version)
            unpacked = work / "package"
            self._store.unpack(archive, unpacked)
            _require_version(unpacked, manifest)
            self._store.add(archive, unpacked, info.version)
            self._store.switch(info.version)
            self._store.prune()

    def _manifest(self, archive: Archive, announced: str) -> AppManifest:
        if MANIFEST not in archive.files:
            raise InvalidPackage(f"the package has no {MANIFEST}")
        manifest = AppManifest.from_json(archive.files[MANIFEST])
        if manifest.version != announced:
            raise InvalidPackage(f"{announced} was announced, the package is {manifest.version}")
        unmet = self._unmet_launcher(manifest.minimum)
        if unmet:
            raise InvalidPackage(f"{announced} {unmet}")
        return manifest

    def _go_back(self) -> str:
        with _failures_told(), self._store.exclusive():
            self._store.go_back()
        return self._current()

    def _feed(self, size: int | None = None) -> "HttpFeed":
        from kombuse_registry.addresses import Reach, RequestFailed
        from kombuse_registry.feeds.http import HttpFeed
        from kombuse_registry.transport import Limits as TransportLimits
        from kombuse_registry.trust import TrustedKeys

        configuration = self._configuration
        try:
            is_here = Reach.of(configuration.registry_url).is_loopback
        except RequestFailed as error:
            raise BadGateway(f"{configuration.registry_url}: {error}") from error
        if not configuration.public_keys and not is_here:
            raise BadGateway(
                f"updates.public_keys of config.json names no key of {configuration.registry_url}"
            )
        most = min(size, _ARCHIVE_BYTES) if size else _ARCHIVE_BYTES
        return HttpFeed(
            configuration.registry_url,
            documents=self._documents,
            trusted=TrustedKeys(self._home / "cache" / "packages" / "keys.json"),
            public_keys=configuration.public_keys,
            limits=TransportLimits(
                stall_seconds=_STALL_SECONDS,
                transfer_seconds=_TRANSFER_SECONDS,
                archive_bytes=most,
            ),
        )


@contextmanager
def _failures_told() -> Iterator[None]:
    """What the registry or its package is to blame for is a bad gateway."""
    try:
        yield
    except (Conflict, BadGateway):
        raise
    except KombuseError as error:
        raise BadGateway(str(error)) from error
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        kind = InsufficientStorage if is_full else KombuseError
        raise kind(f"The update cannot be stored: {error.strerror}") from error


def _require_version(folder: Path, manifest: AppManifest) -> None:
    """The server of a package must say the version that it is. Raises InvalidPackage."""
    program = program_of(folder, manifest.files.server)
    if program is None:
        raise InvalidPackage(f"the package has no server {manifest.files.server[:100]}")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("KOMBUSE_")
    }
    with tempfile.TemporaryDirectory() as home:
        try:
            ended = subprocess.run(
                [sys.executable, "-B", str(program), "--version"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd=home,
                env=environment | {"KOMBUSE_HOME": home},
                timeout=_PROGRAM_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise InvalidPackage("the server of the package does not say its version") from None
    said = ended.stdout.decode(errors="replace").split()
    if ended.returncode or said[-1:] != [manifest.version]:
        raise InvalidPackage(f"the server of the package does not say {manifest.version}")
