"""A registry server in a process of its own, as `kombuse registry serve` starts it."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kombuse_sdk.processes import command, environment

__all__ = ["RegistryProcess", "initialised", "started"]


class RegistryProcess:
    """Ready when it exists: its first line of output says where it is."""

    def __init__(self, home: Path, options: Sequence[str] = ()) -> None:
        self.home = home
        self.data = home / "registry"
        with (home / "errors").open("ab") as errors:
            self._process = subprocess.Popen(
                command("registry", "serve", "--port", "0", *options),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(home),
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.url = line.rpartition(" ")[2].strip()
        assert self.url.startswith("http://"), (line, self.errors)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def errors(self) -> str:
        return (self.home / "errors").read_text(encoding="utf-8")

    def kill(self) -> None:
        """Without a chance to tidy up."""
        self._process.kill()
        self._process.wait(10)

    def stop(self) -> int:
        if self._process.poll() is None:
            self._process.terminate()
        code = self._process.wait(10)
        if self._process.stdout:
            self._process.stdout.close()
        return code


def initialised(home: Path) -> dict[str, Any]:
    """What `kombuse registry init` answers: the admin's token among other things."""
    home.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        command("registry", "init", "--account", "root", "--json"),
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    made: dict[str, Any] = json.loads(ended.stdout)
    return made


@contextmanager
def started(home: Path, options: Sequence[str] = ()) -> Iterator[RegistryProcess]:
    server = RegistryProcess(home, options)
    try:
        yield server
    finally:
        server.stop()
