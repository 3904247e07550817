"""A server process of its own: start on a home directory, memory, stop."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep

from load import LoadError

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers on 127.0.0.1; pid and start_seconds are None if we did not start it."""

    port: int
    pid: int | None = None
    start_seconds: float | None = None

    def resident_mb(self) -> float | None:
        """VmRSS in MB (1 MB = 1000 kB), or None where /proc does not tell."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        for line in status.splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1000
        return None

    def cpu_seconds(self) -> float | None:
        """CPU time used so far by all its threads, or None where /proc does not tell."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        except OSError:
            return None
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """End it without a chance to clean up; only one that we started."""
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)


@contextmanager
def open_server(url: str | None) -> Iterator[Server]:
    """The running server at the URL, or without one a new server on a temporary home."""
    if url is not None:
        yield attach(url)
        return
    with temporary_home() as home, serve(home) as server:
        yield server


def attach(url: str) -> Server:
    """Raises LoadError unless the URL is http on this machine and /health answers."""
    match = re.fullmatch(r"http://(?:127\.0\.0\.1|localhost):(\d{1,5})/?", url)
    if match is None:
        raise LoadError(f"{url}: only http://127.0.0.1:PORT is measured")
    server = Server(port=int(match[1]))
    if not _is_healthy(server.port):
        raise LoadError(f"{url}: GET /health does not answer 200")
    return server


@contextmanager
def temporary_home() -> Iterator[Path]:
    with TemporaryDirectory(prefix="kombuse-benchmark-") as directory:
        yield Path(directory) / ".kombuse"


@contextmanager
def serve(home: Path) -> Iterator[Server]:
    """Run a server on the home until the block ends, also when SIGTERM ends us.

    start_seconds is the time from the start of the process to the first 200 of GET /health.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    home.mkdir(exist_ok=True)
    log = home.parent / "server.log"
    port_file = home / "server-port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "kombuse_kernel.cli", "serve"]
    command += ["--port", str(_free_port()), "--home", str(home)]
    with log.open("ab") as output:
        started = perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=home.parent,
            env=_environment(home.parent),
        )
    try:
        port = _wait_until_healthy(process, port_file, log, started + _START_SECONDS)
        yield Server(port=port, pid=process.pid, start_seconds=perf_counter() - started)
    finally:
        _stop(process)


def _environment(user_home: Path) -> dict[str, str]:
    """Ours without Kombuse settings, and with a home in which nothing of the user's can change."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KOMBUSE_")}
    return kept | {"HOME": str(user_home)}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_until_healthy(
    process: subprocess.Popen[bytes], port_file: Path, log: Path, deadline: float
) -> int:
    while perf_counter() < deadline:
        if process.poll() is not None:
            raise LoadError(f"the server ended with {process.returncode}:\n{_tail(log)}")
        text = port_file.read_text(encoding="ascii").strip() if port_file.exists() else ""
        if text and _is_healthy(int(text)):
            return int(text)
        sleep(_POLL_SECONDS)
    raise LoadError(f"the server was not up within {_START_SECONDS:.0f} s:\n{_tail(log)}")


def _is_healthy(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-4000:]


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
