"""Feeds: places that packages come from (`kombuse_feeds`).

Feeds are plain blocking code, called in threads with a time limit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Download", "Feed", "PackageVersion", "Progress"]

Progress = Callable[[int, int | None], None]
"""Called with the bytes that arrived so far and the total, if it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageVersion:
    """One version of a package as a feed lists it.

    `name` is what a person installs by: `author/name` on registries, else the plain name.
    `checksum` is the lower-case hex SHA-256 of the archive, `integrity` its SRI form
    (`sha512-...`). `directory` is the folder of a package that lies unpacked on this machine.
    `yanked` is the reason why the version was withdrawn.
    """

    name: str
    version: str
    type: str = "plugin"
    feed_id: str = ""
    channel: str = "stable"
    description: str | None = None
    directory: Path | None = None
    download_url: str | None = None
    checksum: str | None = None
    integrity: str | None = None
    size: int | None = None
    published_at: str | None = None
    release_notes: str | None = None
    yanked: str | None = None
    deprecated: str | None = None
    min_kombuse_version: str | None = None
    signatures: tuple[Mapping[str, str], ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What a feed fetched: a folder that is used in place, or an archive in a temporary file."""

    path: Path
    checksum: str | None


class Feed(Protocol):
    """Raises `kombuse_registry.errors.FeedError` (or any exception) when it cannot answer."""

    @property
    def id(self) -> str:
        """Stable over restarts: installed packages remember where they came from by it."""
        ...

    @property
    def name(self) -> str: ...

    def packages(self) -> list[PackageVersion]:
        """The newest version of every package."""
        ...

    def versions(self, name: str) -> list[PackageVersion]:
        """All versions of one package, the newest first; empty when the feed does not have it."""
        ...

    def download(
        self, version: PackageVersion, folder: Path, progress: Progress | None = None
    ) -> Download:
        """Fetch a version into `folder`, its checksum proven when the feed names one."""
        ...
