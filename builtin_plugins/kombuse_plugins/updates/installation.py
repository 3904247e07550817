"""Where the command line is installed, and by whom."""

import json
import sys
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from kombuse_sdk.errors import Unavailable

__all__ = ["NAME", "Installation", "Tool"]

NAME = "kombuse"
Tool = Literal["pip", "pipx", "uv"]
_EXTERNAL = "EXTERNALLY-MANAGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A Python with its packages. `python` is its interpreter, `site` where it keeps packages."""

    prefix: Path
    python: Path
    site: Path
    scripts: Path

    @classmethod
    def of_this_program(cls) -> "Installation":
        """Of the Python that runs, whatever application package it has been told to run."""
        return cls(
            prefix=Path(sys.prefix),
            python=Path(sys.executable),
            site=Path(sysconfig.get_path("purelib")),
            scripts=Path(sysconfig.get_path("scripts")),
        )

    def distribution(self, name: str = NAME) -> metadata.Distribution | None:
        return next(iter(metadata.distributions(name=name, path=[str(self.site)])), None)

    def version(self) -> str:
        """What is installed now, as the next start finds it."""
        found = self.distribution()
        return found.version if found else metadata.version(NAME)

    def tool(self) -> Tool:
        """What has installed it. Raises Unavailable when that is nothing we can use."""
        found = self.distribution()
        if found is None:
            raise Unavailable(f"{NAME} is not installed in {self.site}")
        if _is_sources(found):
            raise Unavailable("Kombuse runs from a folder of sources: update that")
        installer = (found.read_text("INSTALLER") or "").strip()
        if installer == "uv":  # by itself, in one of its tools, or for pipx
            return "uv"
        if installer != "pip":
            raise Unavailable(f"Kombuse was installed by {installer or 'hand'}: update it so")
        if (self.prefix / "pipx_metadata.json").exists():
            return "pipx"
        if self._is_external():
            raise Unavailable("Kombuse is among the packages of the system: update those")
        if find_spec("pip") is None:
            raise Unavailable("pip, which has installed Kombuse, is not here any more")
        return "pip"

    def _is_external(self) -> bool:
        """Python itself belongs to the system, and is no virtual environment of a person."""
        marker = Path(sysconfig.get_path("stdlib")) / _EXTERNAL
        return self.prefix == Path(sys.base_prefix) and marker.exists()


def _is_sources(found: metadata.Distribution) -> bool:
    try:
        return "dir_info" in json.loads(found.read_text("direct_url.json") or "{}")
    except ValueError:
        return False
