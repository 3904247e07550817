"""Every report over a history of sessions and their events: times, and the server's memory."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from fill import LOCAL_USER
from history import Plan, write

from api import Api
from load import LoadError, encode_request, run
from server_process import Server, serve, temporary_home
from table import between, number, print_table

_TARGET_MS = 150.0
_MEMORY_TARGET_MB = 200.0
_AGENTS = 12
_TICKETS = 1000
_TIMES = 9
_CONNECTIONS = 8
_SECONDS = 60.0
_REPORTS = (
    "sessions-per-day",
    "duration-percentiles",
    "pipeline-stage-duration",
    "most-frequent-reads",
    "tool-calls-per-session",
    "slowest-tools",
    "tool-call-volume",
    "ticket-burndown",
    "agent-runtime-per-ticket",
    "costs",
    "throughput",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One report: the first time, the median, the slowest; processor time of the server each."""

    report: str
    rows: int
    first_ms: float
    p50_ms: float
    slowest_ms: float
    cpu_ms: float | None

    def cells(self) -> list[str]:
        values = (self.first_ms, self.p50_ms, self.slowest_ms, self.cpu_ms)
        figures = [number(value, 1) for value in values]
        return [self.report, number(self.rows), *figures, number(_TARGET_MS / self.slowest_ms, 2)]


def main() -> int:
    options = _parse_arguments()
    try:
        with temporary_home() as home:
            rows, megabytes = _measure(home, options)
    except LoadError as error:
        print(f"aborted: {error}", file=sys.stderr)
        return 1
    headings = ("report", "rows", "first ms", "p50 ms", "slowest ms", "cpu ms", "factor")
    print_table(headings, [row.cells() for row in rows])
    if megabytes is not None:
        print(f"\nresident: {megabytes:.1f} MB, of {_MEMORY_TARGET_MB:.0f} MB")
    if options.json:
        found = {"reports": [asdict(row) for row in rows], "resident_mb": megabytes}
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=between(1, 100_000), default=10_000)
    parser.add_argument("--events", type=between(5, 5000), default=200, help="of each session")
    parser.add_argument("--spread", type=between(1, 365), default=30, help="days that they fill")
    parser.add_argument("--days", type=between(1, 365), default=30, help="that are asked for")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    return parser.parse_args()


def _measure(home: Path, options: argparse.Namespace) -> tuple[list[Row], float | None]:
    with serve(home) as server, Api(server.port) as api:
        plan = _plan(api, options)
        print(f"{plan.sessions * plan.events:,} events", file=sys.stderr, flush=True)
        calls = write(home / "data.db", plan)
    with serve(home) as server:
        query = f"?project_id={plan.project_id}&days={options.days}"
        with Api(server.port) as api:
            rows = [_row(server, api, report, query) for report in _REPORTS]
            counted = api.get(f"/api/analytics/tool-call-volume{query}")
        if options.spread <= options.days and sum(r["call_count"] for r in counted) != calls:
            raise LoadError(f"{counted} are not the {calls:,} calls that were written")
        _ask_at_once(server, query)
        return rows, server.resident_mb()


def _plan(api: Api, options: argparse.Namespace) -> Plan:
    project_id = api.post("/api/projects", {"name": "History", "owner_id": LOCAL_USER})["id"]
    agent = {"description": "x", "system_prompt": "x"}
    agents = [api.post("/api/agents", agent | {"name": f"Agent {n}"}) for n in range(_AGENTS)]
    return Plan(
        project_id=project_id,
        agent_ids=tuple(agent["id"] for agent in agents),
        ticket_ids=tuple(_tickets(api, project_id)),
        sessions=options.sessions,
        events=options.events,
        days=options.spread,
    )


def _tickets(api: Api, project_id: str) -> Iterator[int]:
    for number_ in range(_TICKETS):
        body: dict[str, Any] = {"project_id": project_id, "author_id": LOCAL_USER}
        status = "closed" if number_ % 2 else "open"
        yield api.post("/api/tickets", body | {"title": f"t{number_}", "status": status})["id"]


def _row(server: Server, api: Api, report: str, query: str) -> Row:
    times, before = [], server.cpu_seconds()
    for _ in range(_TIMES):
        started = perf_counter()
        rows = api.get(f"/api/analytics/{report}{query}")
        times.append((perf_counter() - started) * 1000)
    if not rows:
        raise LoadError(f"{report} is empty")
    after = server.cpu_seconds()
    return Row(
        report=report,
        rows=len(rows),
        first_ms=times[0],
        p50_ms=sorted(times)[_TIMES // 2],
        slowest_ms=max(times),
        cpu_ms=None if before is None or after is None else (after - before) * 1000 / _TIMES,
    )


def _ask_at_once(server: Server, query: str) -> None:
    """All reports on several connections: what memory has to hold at most."""
    paths = [f"/api/analytics/{report}{query}" for report in _REPORTS] * 4
    requests = iter([encode_request(server.port, "GET", path) for path in paths])
    run(server.port, requests, connections=_CONNECTIONS, seconds=_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
