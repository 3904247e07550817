"""The application package of a home: a newer server than the one that is installed.

`<home>/packages/current` links to a folder `v<version>` with a `manifest.json`, which names the
program that Python runs as the server. The command line hands over to it when it is newer.
"""

import json
import os
import sys
from pathlib import Path

__all__ = ["current_version", "newer_program", "packages_folder", "program_of", "run"]

_PREFIX = "v"


def packages_folder(home: Path) -> Path:
    return home / "packages"


def current_version(home: Path) -> str | None:
    """The version that the link names; None when there is no link to a version."""
    try:
        name = (packages_folder(home) / "current").readlink().name
    except OSError:
        return None
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None


def program_of(folder: Path, server: str) -> Path | None:
    """What the manifest of a package calls its server: a Python file, or a folder of them."""
    program = folder / server
    main = program / "__main__.py" if program.is_dir() else program
    is_inside = program.resolve().is_relative_to(folder.resolve())
    return program if is_inside and main.is_file() else None


def newer_program(home: Path) -> Path | None:
    """What to run in place of the installed server; None when that is as new, or runs in it.

    A package that wants a newer command line than this one is left alone.
    """
    wanted = current_version(home)
    if wanted is None:
        return None
    import importlib_metadata
    from semantic_version import Version  # type: ignore[import-untyped]

    folder = packages_folder(home) / f"{_PREFIX}{wanted}"
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        program = program_of(folder, manifest["files"]["server"])
        installed = Version(importlib_metadata.version("kombuse"))
        minimum = Version(manifest.get("minShellVersion") or "0.0.0")
        is_newer = Version(wanted) > installed
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not is_newer or installed.truncate() < minimum.truncate():
        return None
    return None if program is None or str(program) in sys.path else program


def run(program: Path) -> None:
    """Become the program, with the arguments of this process."""
    os.execv(sys.executable, [sys.executable, str(program), *sys.argv[1:]])
