"""What `kombuse mcp` costs: its start, and how much longer a call takes than over HTTP."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter

from load import LoadError
from server_process import serve, temporary_home
from table import between, number, print_table

_PROBE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
_CALL = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "list_projects", "arguments": {}},
    }
).encode()
_WARM_UP = 50
_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
Ask = Callable[[bytes], bytes]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=between(100, 100_000), default=1_000)
    parser.add_argument("--starts", type=between(1, 100), default=10)
    options = parser.parse_args()
    try:
        with temporary_home() as home, serve(home) as server:
            with _http(server.port) as ask:
                direct = _times(ask, options.calls)
            starts = sorted(_start(home) for _ in range(options.starts))
            with _bridge(home) as (ask, process):
                through = _times(ask, options.calls)
                memory = _resident_mb(process.pid)
    except LoadError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    rows = [
        ["first answer after", number(starts[len(starts) // 2] * 1000, 1), "", "150"],
        *(
            [name, number(times[len(times) // 2], 2), number(times[len(times) * 99 // 100], 2), ""]
            for name, times in (("call over HTTP", direct), ("call over the bridge", through))
        ),
        ["added by the bridge", *_added(direct, through), "3"],
        ["resident, MB", number(memory, 1), "", ""],
    ]
    print_table(["", "p50 ms", "p99 ms", "target"], rows)
    return 0


def _added(direct: list[float], through: list[float]) -> list[str]:
    places = (len(direct) // 2, len(direct) * 99 // 100)
    return [number(through[place] - direct[place], 2) for place in places]


def _times(ask: Ask, calls: int) -> list[float]:
    """Milliseconds of each call, sorted."""
    times = []
    for turn in range(_WARM_UP + calls):
        started = perf_counter()
        answer = ask(_CALL)
        took = perf_counter() - started
        if b'"isError":false' not in answer.replace(b" ", b""):
            raise LoadError(f"a call failed: {answer[:500].decode(errors='replace')}")
        if turn >= _WARM_UP:
            times.append(took * 1000)
    return sorted(times)


def _start(home: Path) -> float:
    started = perf_counter()
    with _bridge(home) as (ask, _):
        ask(_PROBE)
        return perf_counter() - started


@contextmanager
def _http(port: int) -> Iterator[Ask]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(body: bytes) -> bytes:
        connection.request("POST", "/mcp", body, _HEADERS)
        return connection.getresponse().read()

    try:
        yield ask
    finally:
        connection.close()


@contextmanager
def _bridge(home: Path) -> Iterator[tuple[Ask, "subprocess.Popen[bytes]"]]:
    command = [sys.executable, "-m", "kombuse_kernel.cli", "mcp", "--home", str(home)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=home.parent,
    ) as process:
        given, told = process.stdin, process.stdout
        assert given and told

        def ask(body: bytes) -> bytes:
            given.write(body + b"\n")
            given.flush()
            return told.readline()

        yield ask, process
        given.close()


def _resident_mb(pid: int) -> float | None:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), None)
    return None if line is None else int(line.split()[1]) / 1000


if __name__ == "__main__":
    sys.exit(main())
