"""Where the parts meet: `build_kernel` from a configuration, `build_app` from a kernel."""

from collections.abc import Callable, Iterable
from pathlib import Path

from kombuse_kernel.config import Config, load_config
from kombuse_kernel.http.application import build_app
from kombuse_kernel.http.mounting import Checks
from kombuse_kernel.kernel import Check, RunningKernel
from kombuse_kernel.plugins import find_plugins
from kombuse_sdk.types import PluginSource

__all__ = ["build_app", "build_kernel", "kernel_for_tests"]


def build_kernel(config: Config, extra: Iterable[PluginSource] = ()) -> RunningKernel:
    """Load the plugins, migrate the database, provide the services.

    `extra` are further plugins, for tests. Raises MigrationError, OSError or sqlite3.Error when the
    database cannot be used; a broken plugin is left out instead.
    """
    host = find_plugins(config, extra)
    checks = Checks()
    by_hook: dict[str, Check] = {
        "kombuse_routes": checks.router,
        "kombuse_mounts": checks.mount,
    }
    return RunningKernel(config, host, by_hook)


def kernel_for_tests(home: Path, plugins: Iterable[object]) -> RunningKernel:
    """The entry point behind the `kernel` fixture of the SDK."""
    extra = [PluginSource(_name(plugin), "test", _returning(plugin)) for plugin in plugins]
    return build_kernel(load_config(home), extra)


def _name(plugin: object) -> str:
    return getattr(plugin, "__name__", type(plugin).__name__)


def _returning(plugin: object) -> Callable[[], object]:
    return lambda: plugin
