"""The migrations that the loaded plugins bring, and what becomes of a plugin whose do not fit."""

from collections.abc import Callable
from importlib.resources import files
from typing import TypeVar

from kombuse_kernel.migrations import Migration, MigrationError, collect
from kombuse_kernel.plugins import PluginHost

__all__ = ["fitting", "wanted_migrations"]

T = TypeVar("T")


def wanted_migrations(host: PluginHost) -> list[Migration]:
    """The kernel's, then those of plugins in load order; a plugin that cannot say is left out."""
    found = collect("kernel", files("kombuse_kernel") / "sql")
    for item in list(host.loaded):
        try:
            for _, folder in host.call("kombuse_migrations", only=item):
                found += collect(item.info.name, folder)
        except Exception as error:
            host.drop(item.info.name, f"{type(error).__name__}: {error}")
    return [item for item in found if item.plugin == "kernel" or host.has(item.plugin)]


def fitting(host: PluginHost, step: Callable[[list[Migration]], T]) -> T:
    """Run a step with the wanted migrations; a MigrationError of a third-party plugin drops it.

    Any other MigrationError passes through.
    """
    while True:
        try:
            return step(wanted_migrations(host))
        except MigrationError as error:
            if not host.is_third_party(error.plugin):
                raise
            host.drop(error.plugin, str(error))
