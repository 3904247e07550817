"""Measures windows of the desktop app: opening, pictures, scripts, the end of an endless one."""

import argparse
import json
import sys
import tempfile
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from typing import Any

from kombuse_sdk.processes import ServerProcess, running_server
from load import LoadError
from table import between, number, print_table

_ENDLESS_MILLISECONDS = 500
_TARGETS = {
    "open a window": 700.0,
    "picture 1200 x 800": 150.0,
    "endless script, above its deadline": 250.0,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=between(3, 1000), default=15)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kombuse-benchmark-") as folder:
        env = {"KOMBUSE_DESKTOP": "no-window,headless"}
        with running_server(Path(folder) / ".kombuse", env=env) as server:
            figures = measure(server, options.rounds)
    rows = []
    for name, values in figures.items():
        target = _TARGETS.get(name)
        middle = sorted(values)[len(values) // 2]
        rows.append((name, number(middle, 1), number(max(values), 1), number(target)))
    print_table(("milliseconds", "p50", "max", "target"), rows)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    return 0


def measure(server: ServerProcess, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each action; the first window, which starts the browser, stands apart."""
    found: dict[str, list[float]] = {}

    def ask(method: str, path: str, body: Any = None, status: int = 200) -> Any:
        return _ask(server.port, method, f"/api/desktop/windows{path}", body, status)

    def timed(name: str, method: str, path: str, body: Any = None) -> Any:
        started = perf_counter()
        result = ask(method, path, body)
        found.setdefault(name, []).append((perf_counter() - started) * 1000)
        return result

    page = {"path": "/health"}
    timed("open the first window", "POST", "", page)
    for _ in range(rounds):
        window = f"/{timed('open a window', 'POST', '', page)['id']}"
        timed("list", "GET", "")
        timed("navigate", "POST", f"{window}/navigate", page)
        timed("wait for what is there", "POST", f"{window}/wait-for", {"selector": "body"})
        timed("picture 1200 x 800", "POST", f"{window}/screenshot", {})
        timed("close", "DELETE", window)
    window = f"/{timed('open an isolated window', 'POST', '', page | {'isolated': True})['id']}"
    run = f"{window}/execute-js"
    for _ in range(rounds):
        timed("script 1 + 1", "POST", run, {"script": "1 + 1"})
        endless = {"script": "for (;;);", "timeout_ms": _ENDLESS_MILLISECONDS}
        started = perf_counter()
        ask("POST", run, endless, status=400)
        late = (perf_counter() - started) * 1000 - _ENDLESS_MILLISECONDS
        found.setdefault("endless script, above its deadline", []).append(late)
        timed("script after the endless one", "POST", run, {"script": "1 + 1"})
    timed("close an isolated window", "DELETE", window)
    return found


def _ask(port: int, method: str, path: str, body: Any, status: int) -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        data = None if body is None else json.dumps(body)
        headers = {} if data is None else {"Content-Type": "application/json"}
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        text = answer.read()
    finally:
        connection.close()
    if answer.status != status:
        raise LoadError(f"{method} {path}: {answer.status} {text.decode(errors='replace')}")
    return json.loads(text)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LoadError as error:
        sys.exit(f"error: {error}")
