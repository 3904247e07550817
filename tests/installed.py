"""Third-party plugins as pip would install them, found by processes through PYTHONPATH."""

from collections.abc import Mapping
from pathlib import Path

__all__ = ["install"]

_IDENTITY = """
from importlib.resources import files
from kombuse_sdk import Command, PluginInfo, hookimpl

@hookimpl
def kombuse_plugin():
    return PluginInfo(name="{name}", title="{name}")
"""
_MIGRATIONS = """
@hookimpl
def kombuse_migrations():
    return files(__name__) / "migrations"
"""


def install(
    folder: Path, name: str, code: str = "", migrations: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Make a distribution with one plugin; the environment in which it is found.

    `code` follows the import of the SDK and the plugin's identity.
    """
    package = folder / f"{name}_plugin"
    package.mkdir(parents=True, exist_ok=True)
    source = _IDENTITY.format(name=name) + (_MIGRATIONS if migrations else "") + code
    (package / "__init__.py").write_text(source, encoding="utf-8")
    for file, sql in (migrations or {}).items():
        (package / "migrations").mkdir(exist_ok=True)
        (package / "migrations" / f"{file}.sql").write_text(sql, encoding="utf-8")
    information = folder / f"{name}_plugin-1.0.dist-info"
    information.mkdir(exist_ok=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n"
    (information / "METADATA").write_text(metadata, encoding="utf-8")
    entry = f"[kombuse]\n{name} = {name}_plugin\n"
    (information / "entry_points.txt").write_text(entry, encoding="utf-8")
    return {"PYTHONPATH": str(folder)}
