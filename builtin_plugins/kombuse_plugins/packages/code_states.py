"""What became of the code of packages in this process: running, stopped, failed, under review."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["CodeState", "begin", "of", "stop"]

log = logging.getLogger("kombuse.packages")


@dataclass(slots=True)
class CodeState:
    """The code of one package. Stopped code does nothing more, though its memory stays in use.

    `accepted_tools` are the MCP tools as the person saw them when they allowed the code, by name;
    None before they were offered for the first time. `offered_tools` are those of this process.
    """

    name: str
    code_sha256: str
    accepted_tools: str | None = None
    offered_tools: str | None = None
    is_running: bool = True
    failure: str | None = None
    failures: int = 0

    @property
    def status(self) -> Literal["running", "stopped", "failed", "needs_review"]:
        if not self.is_running:
            return "stopped"
        if self.needs_review:
            return "needs_review"
        return "failed" if self.failure else "running"

    @property
    def needs_review(self) -> bool:
        """The tools are not those that were accepted: they are withheld until somebody looks."""
        return self.accepted_tools is not None and self.offered_tools not in (
            None,
            self.accepted_tools,
        )

    def failed(self, what: str, error: BaseException) -> None:
        """Note and log a fault; the code goes on with the next call."""
        self.failures += 1
        self.failure = f"{what}: {type(error).__name__}: {error}"
        log.error("%s of package %s failed", what, self.name, exc_info=error)


_STATES: dict[tuple[Path, str], CodeState] = {}


def begin(home: Path, row: Mapping[str, Any]) -> CodeState:
    """The state of code that is about to be loaded, in place of what a former kernel had."""
    state = CodeState(row["name"], row["code_sha256"], accepted_tools=row["tools"])
    _STATES[home, row["name"]] = state
    return state


def of(home: Path, name: str, code_sha256: str | None) -> CodeState | None:
    """None when this code was not loaded by this process: a restart does it."""
    state = _STATES.get((home, name))
    return state if state is not None and state.code_sha256 == code_sha256 else None


def stop(home: Path, name: str) -> None:
    """From now on hooks, routes, tools and jobs of the package do nothing."""
    state = _STATES.get((home, name))
    if state is not None:
        state.is_running = False
