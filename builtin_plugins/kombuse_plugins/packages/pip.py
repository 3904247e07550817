"""Plugins that are distributions of Python: installed by pip into the server's environment."""

import subprocess
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

from kombuse_sdk.console import CommandError, ExitCode

__all__ = ["install", "place", "require_usable", "uninstall"]


def place() -> str:
    return sys.prefix


def require_usable() -> None:
    """CommandError when there is no pip, or when another program looks after the environment."""
    if find_spec("pip") is None:
        raise CommandError(
            f"there is no pip in {place()}: add it with `{sys.executable} -m ensurepip`, or install"
            " the distribution with the program that made this environment"
        )
    marker = Path(sysconfig.get_path("stdlib")) / "EXTERNALLY-MANAGED"
    if sys.prefix == sys.base_prefix and marker.exists():
        raise CommandError(
            f"{place()} is managed by the operating system: install Kombuse into a virtual"
            " environment of its own, and the plugin beside it"
        )


def install(requirement: str, *, dry_run: bool) -> None:
    _run("install", *(["--dry-run"] if dry_run else []), requirement)


def uninstall(name: str) -> None:
    require_usable()
    if name.startswith("-"):
        raise CommandError(f"{name} is no name of a distribution", ExitCode.USAGE)
    _run("uninstall", "--yes", name)


def _run(*arguments: str) -> None:
    """What pip prints is for the person, beside our own output."""
    program = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    ended = subprocess.run(program, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if ended.returncode:
        raise CommandError(f"pip failed with {ended.returncode}")
