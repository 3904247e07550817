"""How a server reads session files of Claude Code: one of 500 MB, and a list of a thousand."""

import argparse
import json
import uuid
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from time import perf_counter
from typing import Any
from urllib.parse import urlencode

from load import LoadError
from server_process import Server, serve, temporary_home
from table import between, number, print_table

_PATH = "/srv/app"
_MB = 1_000_000
_WORDS = "the quick brown fox jumps over the lazy dog and runs the tests again "


def main() -> None:
    options = _options()
    with temporary_home() as home:
        folder = home.parent / ".claude" / "projects" / _PATH.replace("/", "-")
        folder.mkdir(parents=True)
        large = str(uuid.uuid4())
        count = _write(folder / f"{large}.jsonl", options.megabytes * _MB)
        with serve(home) as server:
            figures = _read(server, large, count)
        (folder / f"{large}.jsonl").unlink()
        for _ in range(options.files):
            _write(folder / f"{uuid.uuid4()}.jsonl", options.kilobytes * 1000)
        with serve(home) as server:
            figures |= _list(server, options.files)
    print_table(("", "value"), [(name, number(value, 1)) for name, value in figures.items()])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=between(1, 8000), default=500)
    parser.add_argument("--files", type=between(1, 20_000), default=1000)
    parser.add_argument("--kilobytes", type=between(1, 10_000), default=100)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _write(file: Path, size: int) -> int:
    """Fill a file with at least so many bytes; the number of its lines."""
    lines = [(json.dumps(line) + "\n").encode() for line in _lines()]
    length = sum(map(len, lines))
    rounds = -(-size // length)
    with file.open("wb") as output:
        for _ in range(rounds):
            output.writelines(lines)
    return rounds * len(lines)


def _lines() -> Iterator[dict[str, Any]]:
    for turn in range(10):
        text = _WORDS * (1 + turn)
        use = {"type": "tool_use", "id": "t", "name": "Edit", "input": {"old": text, "new": text}}
        result = {"type": "tool_result", "tool_use_id": "t", "content": text * 3}
        yield _line("assistant", [{"type": "text", "text": text}])
        yield _line("assistant", [{"type": "thinking", "thinking": text}, use])
        yield _line("user", [result])


def _line(role: str, content: list[Any]) -> dict[str, Any]:
    return {
        "type": role,
        "sessionId": "s",
        "uuid": str(uuid.uuid4()),
        "timestamp": "2026-03-04T05:06:07.000Z",
        "cwd": _PATH,
        "gitBranch": "main",
        "message": {"role": role, "content": content, "usage": {"output_tokens": 5}},
    }


def _read(server: Server, session_id: str, count: int) -> dict[str, float]:
    address = f"/api/claude-code/sessions/{session_id}"
    before = server.resident_mb() or 0
    with _Watching(server) as watching:
        first = _timed(server, address, count, offset=0)
        again = _timed(server, address, count, offset=0)
        last = _timed(server, address, count, offset=count - 500)
    return {
        "resident before, MB": before,
        "highest resident, MB": watching.highest,
        "GET /health meanwhile, p50, ms": watching.quantile(50),
        "GET /health meanwhile, p99, ms": watching.quantile(99),
        "first page with the whole report, ms": first,
        "the same again, ms": again,
        "last 500 lines, ms": last,
    }


def _list(server: Server, count: int) -> dict[str, float]:
    figures = {}
    for name in ("list", "list again"):
        started = perf_counter()
        found = _get(server, "/api/claude-code/sessions", path=_PATH)["sessions"]
        figures[f"{name} of {count} sessions, ms"] = (perf_counter() - started) * 1000
        if len(found) != count:
            raise LoadError(f"{len(found)} sessions instead of {count}")
    return figures | {"resident after, MB": server.resident_mb() or 0}


def _timed(server: Server, address: str, count: int, offset: int) -> float:
    started = perf_counter()
    found = _get(server, address, path=_PATH, offset=offset)
    if found["count"] != count or found["validation"]["valid"] != count or not found["items"]:
        raise LoadError(f"{found['count']} lines instead of {count}: {found['validation']}")
    return (perf_counter() - started) * 1000


def _get(server: Server, address: str, **query: Any) -> Any:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        connection.request("GET", f"{address}?{urlencode(query)}")
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise LoadError(f"GET {address}: {answer.status} {body[:500]!r}")
    return json.loads(body)


class _Watching:
    """The highest memory, and how long answers to /health take, until the block ends."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._stop = Event()
        self._thread = Thread(target=self._run)
        self.highest = 0.0
        self._times: list[float] = []

    def __enter__(self) -> "_Watching":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def quantile(self, percent: int) -> float:
        ordered = sorted(self._times)
        return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)]

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            self.highest = max(self.highest, self._server.resident_mb() or 0)
            started = perf_counter()
            with suppress(OSError):
                _get(self._server, "/health")
            self._times.append((perf_counter() - started) * 1000)


if __name__ == "__main__":
    try:
        main()
    except LoadError as problem:
        raise SystemExit(f"error: {problem}") from None
