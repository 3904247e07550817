"""Command-line programs of agents: where they are on this machine, and which version.

Looked for, the first that is set wins: the profile settings `binaries.<name>.<project id>` and
`binaries.<name>`, `binaries.<name>` of config.json, the program's environment variable, the places
where installers put it, the search path, the person's login shell.
"""

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kombuse_sdk.contracts.settings import Settings
from kombuse_sdk.process import output, search_path

if TYPE_CHECKING:
    from kombuse_sdk.types import Kernel

__all__ = [
    "BackendOptions",
    "Finder",
    "Found",
    "Program",
    "backend_options",
    "is_version",
    "meets_minimum",
    "version_of",
]

_PLACES = ("~/.local/bin", "/usr/local/bin", "/opt/homebrew/bin", "~/.npm-global/bin")
_VERSION = re.compile(r"\d+\.\d+\.\d+[\w.-]*")
_PLAIN = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to look for. `places` are further files, tried after those of installers."""

    name: str
    variable: str
    places: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """`command` is what to start, even if it is not there; a bare name has no `path`."""

    command: str
    is_available: bool
    version: str | None = None

    @property
    def path(self) -> str | None:
        return self.command if os.sep in self.command else None


class Finder:
    """Finds one program. A version is asked once for each state of a file."""

    def __init__(self, kernel: "Kernel", program: Program) -> None:
        self._kernel = kernel
        self._program = program
        self._versions: dict[tuple[str, int, int], str | None] = {}

    async def find(self, project_id: str | None = None) -> Found:
        command = await self._command(project_id)
        if os.sep not in command:
            version, runs = await version_of(command)
            return Found(command=command, is_available=runs, version=version)
        if not await asyncio.to_thread(_is_executable, command):
            return Found(command=command, is_available=False)
        return Found(command=command, is_available=True, version=await self._version(command))

    async def _command(self, project_id: str | None) -> str:
        configured = await asyncio.to_thread(self._configured, project_id)
        if configured:
            return str(Path(configured).expanduser())
        installed = await asyncio.to_thread(self._installed)
        return installed or await _of_login_shell(self._program.name) or self._program.name

    def _configured(self, project_id: str | None) -> str | None:
        key = f"binaries.{self._program.name}"
        with self._kernel.db.read() as tx:
            settings = tx.services.find(Settings)
            keys = [f"{key}.{project_id}", key] if project_id else [key]
            stored = [settings.value(tx, name) for name in keys] if settings else []
        in_file = self._kernel.config.values.get("binaries")
        named = in_file.get(self._program.name) if isinstance(in_file, Mapping) else None
        candidates = [*stored, named, os.environ.get(self._program.variable)]
        return next(
            (text.strip() for text in candidates if isinstance(text, str) and text.strip()), None
        )

    def _installed(self) -> str | None:
        name = self._program.name
        usual = [f"{folder}/{name}" for folder in _PLACES]
        on_path = [f"{folder}/{name}" for folder in search_path(name).split(os.pathsep)]
        for candidate in (*usual, *on_path, *self._program.places):
            path = str(Path(candidate).expanduser())
            if _is_executable(path):
                return path
        return None

    async def _version(self, path: str) -> str | None:
        try:
            status = await asyncio.to_thread(os.stat, path)
        except OSError:
            return None
        key = (path, status.st_mtime_ns, status.st_size)
        if key not in self._versions:
            self._versions[key] = (await version_of(path))[0]
        return self._versions[key]


async def version_of(command: str) -> tuple[str | None, bool]:
    """The version that `command --version` prints, and whether it ran at all."""
    try:
        printed = await output([command, "--version"], seconds=_SECONDS)
    except (OSError, TimeoutError):
        return None, False
    found = _VERSION.search(printed.stdout) or _VERSION.search(printed.stderr)
    return (found[0] if found else None), printed.exit_code == 0


def is_version(text: str) -> bool:
    """Three numbers and nothing else: a pre-release is none."""
    return _PLAIN.fullmatch(text) is not None


def meets_minimum(version: str | None, minimum: str) -> bool:
    """Whether a version is at least `minimum`. One that could not be told counts as new enough, a
    pre-release or any other text does not."""
    if version is None:
        return True
    return is_version(version) and _numbers(version) >= _numbers(minimum)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _is_executable(path: str) -> bool:
    return Path(path).is_file() and os.access(path, os.X_OK)


async def _of_login_shell(name: str) -> str | None:
    """For what only the person's shell profile puts on the path; a broken profile costs 5 s."""
    shell = os.environ.get("SHELL")
    if not shell or not _is_executable(shell):
        return None
    try:
        printed = await output([shell, "-lc", 'command -v -- "$0"', name], seconds=_SECONDS)
    except (OSError, TimeoutError):
        return None
    last = printed.stdout.strip().rpartition("\n")[2]
    return last if Path(last).is_absolute() and _is_executable(last) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """`backends.<backend type>` of config.json; `env` are variables for its program."""

    values: Mapping[str, Any]
    env: Mapping[str, str]


def backend_options(kernel: "Kernel", backend_type: str) -> BackendOptions:
    """What is not of the right type there counts as absent."""
    values = _mapping(_mapping(kernel.config.values.get("backends")).get(backend_type))
    env = {name: value for name, value in _mapping(values.get("env")).items() if _is_text(value)}
    return BackendOptions(values=values, env=env)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value
