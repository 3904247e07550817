"""The plugins inside packages: read from where they were installed, checked, imported, guarded.

The allowed bytes are copied to `<home>/code/<digest>` and run from there: a folder that is edited
after it was checked runs nothing that nobody allowed.
"""

import importlib
import logging
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from kombuse_sdk.types import Config, PluginSource

__all__ = ["allowed"]

log = logging.getLogger("kombuse.packages")

_ALLOWED = """
    SELECT id, name, version, directory, code_sha256, tools FROM plugins
    WHERE code_sha256 IS NOT NULL AND is_enabled ORDER BY updated_at DESC, id
"""


def allowed(config: Config) -> list[PluginSource]:
    """One for each name: where projects have different code of it, the latest that was allowed."""
    found: dict[str, PluginSource] = {}
    for row in _rows(config.database_path):
        if row["name"] not in found:
            origin = f"package {row['name']} {row['version']}"
            load = partial(_load, config.home, dict(row))
            found[row["name"]] = PluginSource(row["name"], origin, load)
    return list(found.values())


def _rows(database: Path) -> list[Any]:
    """Before the kernel opens the database: there may be none yet, or an older one."""
    if not database.exists():
        return []
    try:
        # A reader that finds no log would make one, and could not take it away again.
        has_log = database.with_name(f"{database.name}-wal").exists()
        mode = "mode=ro" if has_log else "mode=ro&immutable=1"
        with closing(sqlite3.connect(f"{database.as_uri()}?{mode}", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(_ALLOWED).fetchall()
    except sqlite3.Error as error:
        log.debug("no package with code is known: %s", error)
        return []


def _load(home: Path, row: Mapping[str, Any]) -> object:
    from kombuse_plugins.packages import code_states, digests, guard, surveillance
    from kombuse_registry.package import PYTHON, read_package

    state = code_states.begin(home, row)
    package = read_package(Path(row["directory"]))
    code = package.code
    if code is None or digests.of_code(code) != row["code_sha256"]:
        raise PermissionError(
            "its Python is not what was allowed: install it again, with allow_code: true"
        )
    files = {
        path.removeprefix(PYTHON): data
        for path, data in package.content.files.items()
        if path.startswith(PYTHON)
    }
    folder = _written(home / "code" / row["code_sha256"], files)
    surveillance.watch(row["name"], folder, code.capabilities)
    with guard.limited(f"the import of {code.entry_point}"):
        module = guard.within(lambda: _imported(folder, code.entry_point))
    return guard.Guarded(module, state, code.capabilities)


def _written(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The folder with exactly these files; what else lies there, compiled files too, goes."""
    import shutil
    import tempfile

    if folder.is_dir() and dict(_read(folder)) == files:
        return folder
    folder.parent.mkdir(mode=0o700, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
    for path, data in files.items():
        target = made / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    shutil.rmtree(folder, ignore_errors=True)
    return made.rename(folder)


def _read(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in folder.rglob("*"):
        if not path.is_dir():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _imported(folder: Path, entry_point: str) -> object:
    """The module, which must come from the folder and not be one of the same name elsewhere."""
    text = str(folder)
    if text not in sys.path:
        sys.path.append(text)
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        module = importlib.import_module(entry_point)
    finally:
        sys.dont_write_bytecode = kept
    found = Path(module.__file__ or "")
    if not found.is_relative_to(folder):
        raise ImportError(f"{entry_point} is the name of another module: {found}")
    return module
