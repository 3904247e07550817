"""Real server processes, for tests that need one: each with a home of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import IO, TYPE_CHECKING

from kombuse_sdk.home import TOKEN_FILE

if TYPE_CHECKING:
    from httpx import Client

__all__ = ["ServerEnded", "ServerProcess", "command", "environment", "running_server"]

_POLL_SECONDS = 0.005
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class ServerEnded(Exception):
    """The server ended before it was ready."""

    def __init__(self, exit_code: int, output: str) -> None:
        super().__init__(f"the server ended with {exit_code}:\n{output}")
        self.exit_code = exit_code
        self.output = output


class ServerProcess:
    """`kombuse serve` on a home and a free port. It starts at once; `wait_until_ready` waits."""

    def __init__(
        self,
        home: Path,
        options: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self._log: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - until `close`
        self._process = subprocess.Popen(
            command("serve", "--port", "0", *options),
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            cwd=home.parent,
            env=environment(home, env),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @cached_property
    def port(self) -> int:
        return int((self.home / "server-port").read_text(encoding="ascii"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def token(self) -> str | None:
        """What it wants of everybody who asks, if it was told to."""
        path = self.home / TOKEN_FILE
        return path.read_text(encoding="ascii") if path.exists() else None

    @property
    def headers(self) -> dict[str, str]:
        """What a request of the person carries."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @cached_property
    def http(self) -> "Client":
        """A client of the person; addresses are relative to the server, as `/api/tickets`."""
        from httpx import Client

        return Client(base_url=self.url, headers=self.headers, timeout=30, trust_env=False)

    @property
    def output(self) -> str:
        """What it printed so far, on both streams."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def wait_until_ready(self) -> None:
        """Until /health answers. Raises ServerEnded, or TimeoutError after half a minute."""
        deadline = monotonic() + _START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None:
                raise ServerEnded(self._process.returncode, self.output)
            if monotonic() > deadline:
                raise TimeoutError(f"the server is not ready:\n{self.output}")
            sleep(_POLL_SECONDS)

    def stop(self) -> int:
        """Ask it to end (SIGTERM); its exit code."""
        self._process.terminate()
        return self.wait()

    def kill(self) -> int:
        """End it without a chance to tidy up (SIGKILL)."""
        self._process.kill()
        return self.wait()

    def wait(self) -> int:
        return self._process.wait(_STOP_SECONDS)

    def close(self) -> None:
        if "http" in self.__dict__:
            self.http.close()
        if self._process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()

    def _is_ready(self) -> bool:
        try:
            holder = (self.home / "server.lock").read_text(encoding="ascii")
            text = (self.home / "server-port").read_text(encoding="ascii")
        except FileNotFoundError:
            return False
        if holder != str(self.pid):  # both files may be those of a server that was killed
            return False
        connection = HTTPConnection("127.0.0.1", int(text), timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


@contextmanager
def running_server(
    home: Path, options: Sequence[str] = (), env: Mapping[str, str] | None = None
) -> Iterator[ServerProcess]:
    """A server that is ready, until the end of the block."""
    server = ServerProcess(home, options, env)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.close()


def command(*arguments: str) -> list[str]:
    """The command line of this Python's Kombuse."""
    return [sys.executable, "-m", "kombuse_kernel.cli", *arguments]


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours without settings of Kombuse, with a user's home in which nothing real can change."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KOMBUSE_")}
    return kept | {"HOME": str(home), "KOMBUSE_HOME": str(home)} | dict(extra or {})
