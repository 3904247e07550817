"""The archives that plugins were installed from, and the folders that they were unpacked to."""

from pathlib import Path
from typing import TYPE_CHECKING

from kombuse_plugins.packages import queries
from kombuse_registry.errors import InvalidArchive
from kombuse_sdk.types import Config, Kernel

if TYPE_CHECKING:
    from kombuse_registry.cache import PackageCache
    from kombuse_registry.package import Package

__all__ = ["cache_of", "directory_of", "prune", "tidy"]


def cache_of(config: Config) -> "PackageCache":
    from kombuse_registry.cache import PackageCache

    return PackageCache(_folder(config))


def directory_of(config: Config, package: "Package") -> Path:
    """The folder of a package; an archive is unpacked into the cache for it."""
    if package.archive is None:
        return package.path
    cached = cache_of(config).add(package.path)
    if cached.checksum != package.checksum:
        raise InvalidArchive("it changed while it was read")
    return cached.directory


def prune(kernel: Kernel) -> None:
    """Remove what no plugin is installed from, unless somebody used it within the last hour."""
    if _folder(kernel.config).exists():
        cache_of(kernel.config).prune(_needed(kernel))


def tidy(kernel: Kernel) -> None:
    """Remove what a server left that was killed: nobody uses the cache before this one starts."""
    if _folder(kernel.config).exists():
        cache_of(kernel.config).prune(_needed(kernel), grace_seconds=0)


def _folder(config: Config) -> Path:
    return config.home / "cache" / "packages"


def _needed(kernel: Kernel) -> set[str]:
    with kernel.db.read() as tx:
        return queries.checksums(tx)
