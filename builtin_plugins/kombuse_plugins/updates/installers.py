"""pip, pipx and uv: what they would change, and making them do it.

Each downloads everything before it changes anything, so that a failed download or a wrong checksum
leaves what is installed as it was.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from kombuse_plugins.updates.installation import NAME, Installation, Tool
from kombuse_registry import versions
from kombuse_sdk.errors import BadGateway, Unavailable
from kombuse_sdk.process import child_environment, search_path

__all__ = ["Installer", "installer_of", "semantic"]

_SECONDS = 900.0
_MOST_TEXT = 300
_LISTED = re.compile(r"^Available versions: (.*)$", re.MULTILINE)
_ADDED = re.compile(r"^ \+ (\S+?)==(\S+)", re.MULTILINE)
_PRERELEASE = re.compile(r"(\d+\.\d+\.\d+)(a|b|rc)(\d+)")
_QUICK = ("--retries", "1", "--timeout", "15")


class Installer(Protocol):
    """Raises BadGateway with the tool's own words."""

    def newest(self, prereleases: bool) -> str | None:
        """The newest version that the tool's sources have for this Python."""
        ...

    def changes(self, version: str) -> dict[str, str]:
        """The distributions that would be installed for this version, with theirs."""
        ...

    def install(self, version: str) -> None: ...

    def put_back(self, wheels: Sequence[Path]) -> None:
        """Install exactly these, without asking any source."""
        ...


def installer_of(installation: Installation, tool: Tool) -> Installer:
    """Raises Unavailable when the tool is not here."""
    if tool == "pip":
        return _Pip([str(installation.python), "-m", "pip"])
    program = shutil.which(tool, path=search_path(str(installation.python)))
    if program is None:
        raise Unavailable(f"{tool}, which has installed Kombuse, is not on the PATH")
    if tool == "pipx":
        return _Pipx(program)
    return _Uv(program, installation)


class _Pip:
    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    def newest(self, prereleases: bool) -> str | None:
        """pip lists only what suits this Python, the newest first."""
        options = ["--pre"] if prereleases else []
        said = self._run("index", "versions", *_QUICK, *options, NAME)
        listed = _LISTED.search(said)
        return listed[1].split(",")[0].strip() if listed else None

    def changes(self, version: str) -> dict[str, str]:
        said = self._run(
            *("install", "--dry-run", "--quiet", "--report", "-"), *_QUICK, f"{NAME}=={version}"
        )
        items = json.loads(said[said.index("{") :])["install"]
        return {item["metadata"]["name"]: item["metadata"]["version"] for item in items}

    def install(self, version: str) -> None:
        self._run("install", *_QUICK, f"{NAME}=={version}")

    def put_back(self, wheels: Sequence[Path]) -> None:
        self._run("install", "--no-index", "--no-deps", "--force-reinstall", *map(str, wheels))

    def _run(self, command: str, *arguments: str) -> str:
        quiet = ("--disable-pip-version-check", "--no-input")
        return _run([*self._command, command, *quiet, *arguments])


class _Pipx(_Pip):
    """pip in the environment that pipx keeps; pipx itself writes down what it upgrades."""

    def __init__(self, program: str) -> None:
        super().__init__([program, "runpip", NAME])


class _Uv:
    """uv installs into the environment as it is: also one that `uv tool` has made."""

    def __init__(self, program: str, installation: Installation) -> None:
        self._program = program
        self._where = ("--python", str(installation.python))

    def newest(self, prereleases: bool) -> str | None:
        options = ["--prerelease", "allow"] if prereleases else []
        said = self._install("--dry-run", "--no-deps", "--upgrade-package", NAME, *options, NAME)
        return dict(_ADDED.findall(said)).get(NAME)

    def changes(self, version: str) -> dict[str, str]:
        return dict(_ADDED.findall(self._install("--dry-run", f"{NAME}=={version}")))

    def install(self, version: str) -> None:
        self._install(f"{NAME}=={version}")

    def put_back(self, wheels: Sequence[Path]) -> None:
        self._install("--offline", "--no-deps", "--reinstall", *map(str, wheels))

    def _install(self, *arguments: str) -> str:
        command = [self._program, "pip", "install", *self._where, "--color", "never", *arguments]
        return _run(command, {"NO_COLOR": "1"})


def semantic(version: str) -> str:
    """A version of Python's packages in the form that can be compared: 1.2.0rc1 as 1.2.0-rc.1."""
    match = _PRERELEASE.fullmatch(version)
    text = f"{match[1]}-{match[2]}.{match[3]}" if match else version
    return text if versions.is_version(text) else "0.0.0"


def _run(command: Sequence[str], extra: Mapping[str, str] | None = None) -> str:
    """All that it prints."""
    environment = {**child_environment(command[0]), "PYTHONNOUSERSITE": "1", **(extra or {})}
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadGateway(f"{Path(command[0]).name} did not end in time") from None
    except OSError as error:
        raise BadGateway(f"{Path(command[0]).name} cannot be run: {error.strerror}") from None
    said = ended.stdout.decode(errors="replace")
    complaints = ended.stderr.decode(errors="replace")
    if ended.returncode:
        raise BadGateway(_complaint(complaints or said))
    return said + os.linesep + complaints


def _complaint(text: str) -> str:
    """The first line that is called an error, and what stands below a wrong checksum."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    starts = [
        number for number, line in enumerate(lines) if line.lower().startswith(("error:", "×"))
    ]
    kept = lines[starts[-1] :] if starts else lines[-1:]
    return " ".join(kept).removeprefix("ERROR: ").removeprefix("error: ")[:_MOST_TEXT]
