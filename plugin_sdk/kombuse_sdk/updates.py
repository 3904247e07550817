"""Updaters: what brings newer versions of the application or of the command line."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

__all__ = [
    "InstalledVersion",
    "Kind",
    "Listener",
    "ReversibleUpdater",
    "State",
    "UpdateInfo",
    "UpdateStatus",
    "Updater",
]

Kind = Literal["app", "shell"]
State = Literal["idle", "checking", "available", "downloading", "verifying", "ready", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateInfo:
    """A newer version."""

    version: str
    download_url: str = ""
    checksum_url: str | None = None
    release_url: str | None = None
    release_notes: str | None = None
    published_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStatus:
    """`progress` is in percent, or -1 while the size of a download is unknown."""

    state: State
    current_version: str
    info: UpdateInfo | None = None
    progress: float = 0
    bytes_downloaded: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledVersion:
    """A version that lies on this machine; `installed_at` is ISO 8601."""

    version: str
    path: str
    is_current: bool
    installed_at: str


Listener = Callable[[UpdateStatus], None]


@runtime_checkable
class Updater(Protocol):
    """What `kombuse_updater` returns. Blocking code, called from several threads at once.

    Errors are those of `kombuse_sdk.errors`; the message of any other is shown with status 500.
    """

    def status(self) -> UpdateStatus:
        """At once, from memory."""
        ...

    def check(self) -> UpdateInfo | None:
        """Ask for a newer version; None when there is none. While one is installed, that one."""
        ...

    def install(self) -> None:
        """Download and install what the last check has found."""
        ...

    def subscribe(self, listener: Listener) -> None:
        """Tell every change of the status from now on."""
        ...

    def clear_cache(self) -> None:
        """Make the next check ask anew."""
        ...


@runtime_checkable
class ReversibleUpdater(Updater, Protocol):
    """An updater that keeps former versions."""

    def rollback(self) -> str:
        """Go back to the former version, and return it. Raises Conflict when there is none."""
        ...

    def versions(self) -> Sequence[InstalledVersion]: ...
