"""The command line and what it needs, updated by the tool that has installed it.

What changes is packed into wheels before, from which a failed update and a rollback are put back.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kombuse_plugins.updates.installation import NAME, Installation
from kombuse_plugins.updates.installers import installer_of, semantic
from kombuse_plugins.updates.states import Cycle, NothingToGoBackTo
from kombuse_plugins.updates.version_store import exclusive
from kombuse_plugins.updates.wheels import repack
from kombuse_registry import versions
from kombuse_registry.disk import make_private, replace
from kombuse_sdk.errors import BadGateway, KombuseError
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.updates import InstalledVersion, Listener, UpdateInfo, UpdateStatus

__all__ = ["ShellUpdater"]

_STABLE = "stable"
_PROGRAM_SECONDS = 60.0


class ShellUpdater:
    """Raises Unavailable when nothing that we know has installed the command line."""

    def __init__(self, home: Path, channel: str, installation: Installation) -> None:
        self._installation = installation
        self._prereleases = channel != _STABLE
        self._installer = installer_of(installation, installation.tool())
        self._folder = home / "packages" / "shell"
        self._cycle = Cycle(installation.version)

    def status(self) -> UpdateStatus:
        return self._cycle.status()

    def subscribe(self, listener: Listener) -> None:
        self._cycle.subscribe(listener)

    def clear_cache(self) -> None:
        """The tools ask their sources each time."""

    def check(self) -> UpdateInfo | None:
        return self._cycle.check(self._find)

    def install(self) -> None:
        self._cycle.install(self._install)

    def rollback(self) -> str:
        return self._cycle.rollback(self._go_back)

    def versions(self) -> Sequence[InstalledVersion]:
        """What is installed, and what a rollback would put back."""
        former = self._former()
        current = InstalledVersion(
            version=self._installation.version(),
            path=str(self._installation.site),
            is_current=True,
            installed_at=_time_of(self._installation.site),
        )
        if former is None:
            return [current]
        kept = InstalledVersion(
            version=former["version"],
            path=str(self._wheels),
            is_current=False,
            installed_at=_time_of(self._record),
        )
        return [current, kept]

    @property
    def _wheels(self) -> Path:
        return self._folder / "wheels"

    @property
    def _record(self) -> Path:
        return self._folder / "previous.json"

    def _find(self) -> UpdateInfo | None:
        try:
            newest = self._installer.newest(self._prereleases)
        except KombuseError as error:
            raise BadGateway(f"Update check failed: {error}") from error
        current = self._installation.version()
        if newest is None or not versions.is_newer(semantic(newest), semantic(current)):
            return None
        return UpdateInfo(version=newest)

    def _install(self, info: UpdateInfo) -> None:
        with exclusive(self._folder / ".lock"):
            self._cycle.unmeasured()
            former = self._installation.version()
            changes = self._installer.changes(info.version)
            self._record.unlink(missing_ok=True)
            self._pack(changes)
            try:
                self._installer.install(info.version)
                self._cycle.verifying()
                self._require(info.version)
            except BaseException:
                if self._installation.version() != former:
                    self._put_back()
                raise
            kept = {"version": former, "prefix": str(self._installation.prefix)}
            replace(self._record, json.dumps(kept).encode())

    def _go_back(self) -> str:
        with exclusive(self._folder / ".lock"):
            former = self._former()
            if former is None:
                raise NothingToGoBackTo
            self._put_back()
            self._require(former["version"])
            self._record.unlink()
            shutil.rmtree(self._wheels)
        return self._installation.version()

    def _pack(self, names: Sequence[str] | dict[str, str]) -> None:
        """Wheels of those among the distributions that are installed now."""
        if self._wheels.exists():
            shutil.rmtree(self._wheels)
        make_private(self._wheels)
        for name in names:
            installed = self._installation.distribution(name)
            if installed is None:
                continue
            try:
                repack(installed, self._wheels)
            except (OSError, ValueError) as error:
                raise KombuseError(f"{name} cannot be kept for a rollback: {error}") from error

    def _put_back(self) -> None:
        self._installer.put_back(sorted(self._wheels.glob("*.whl")))

    def _former(self) -> dict[str, Any] | None:
        """What was there before; only of this installation, for a home can have several."""
        try:
            kept: dict[str, Any] = json.loads(self._record.read_bytes())
        except (OSError, ValueError):
            return None
        return kept if kept["prefix"] == str(self._installation.prefix) else None

    def _require(self, version: str) -> None:
        """The program must start, and say the version. Raises BadGateway."""
        program = self._installation.scripts / NAME
        try:
            ended = subprocess.run(
                [program, "--version"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PROGRAM_SECONDS,
                check=False,
            )
            said = ended.stdout.decode(errors="replace").split()
        except (OSError, subprocess.TimeoutExpired):
            said = []
        if said[-1:] != [version]:
            raise BadGateway(f"What was installed does not start as {version}")


def _time_of(path: Path) -> str:
    return timestamp(datetime.fromtimestamp(path.stat().st_mtime, UTC))
