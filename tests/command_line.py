"""Commands as a person types them, in this process or in one of their own."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kombuse_kernel.cli.plugin_commands import offered_commands
from kombuse_kernel.cli.root import run
from kombuse_sdk.processes import command, environment

__all__ = ["CommandLine", "Ended"]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Commands on one home; the fixture `command_line` makes it."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self._capture = capture

    def run(self, *arguments: str) -> Ended:
        self._capture.readouterr()
        offered_commands.cache_clear()
        try:
            run(arguments)
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        printed = self._capture.readouterr()
        return Ended(code, printed.out, printed.err)

    def run_process(
        self,
        *arguments: str,
        input: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Ended:
        ended = subprocess.run(
            command(*arguments),
            input=input,
            cwd=cwd,
            env=environment(self.home, env),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)
