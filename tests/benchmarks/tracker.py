"""Throughput of the tracker's endpoints, create rates, start time and memory in one table."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import cycle, islice
from pathlib import Path

from endpoints import Endpoint, rated, searches
from fill import Fill, Workspace, add_tickets, create_workspace

from api import Api
from load import LoadError, Result, encode_request, run
from server_process import Server, attach, serve, temporary_home
from table import between, number, print_table

_WARM_UP_REQUESTS = 40
_SEARCH_REQUESTS = 50
_SEARCH_SECONDS = 60.0
_SEARCH_TARGET_MS = 10.0
_START_TARGET_S = 1.0
_MEMORY_TARGET_MB = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; a factor of 1 or more means that the target is reached."""

    name: str
    value: float
    unit: str
    reference: str
    target: float
    factor: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    body_kb: float | None = None
    cpu_ms: float | None = None

    def cells(self) -> list[str]:
        digits = 0 if self.unit == "/s" else 2
        return [
            self.name,
            number(self.value, digits),
            self.unit,
            number(self.p50_ms, 2),
            number(self.p99_ms, 2),
            number(self.body_kb, 1),
            number(self.cpu_ms, 3),
            self.reference,
            number(self.target),
            number(self.factor, 2),
        ]


def main() -> int:
    options = _parse_arguments()
    try:
        rows = list(_measure_all(options))
    except LoadError as error:
        print(f"aborted: {error}", file=sys.stderr)
        return 1
    headings = ("measured", "value", "unit", "p50 ms", "p99 ms", "kB", "cpu ms")
    print_table((*headings, "reference", "target", "factor"), [row.cells() for row in rows])
    if options.json:
        report = {
            "tickets": options.tickets,
            "seconds": options.seconds,
            "connections": options.connections,
            "rows": [asdict(row) for row in rows],
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=between(100, 100_000), default=3000)
    parser.add_argument("--seconds", type=between(1, 60), default=3, help="per endpoint")
    parser.add_argument("--connections", type=between(1, 64), default=4)
    parser.add_argument("--url", help="measure the server that runs at http://127.0.0.1:PORT")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows as JSON")
    return parser.parse_args()


def _measure_all(options: argparse.Namespace) -> Iterator[Row]:
    if options.url:
        yield from _measure(attach(options.url), options)
        return
    with temporary_home() as home:
        with serve(home) as server:
            yield from _start_row(server, "start to /health, new home")
            yield from _measure(server, options)
        with serve(home) as server:
            yield from _start_row(server, "start to /health, filled home")


def _measure(server: Server, options: argparse.Namespace) -> Iterator[Row]:
    with Api(server.port) as api:
        workspace = create_workspace(api)
    _report(f"creating {options.tickets:,} tickets")
    numbers = range(1, options.tickets + 1)
    fill = add_tickets(server.port, workspace, numbers, connections=options.connections)
    yield from _create_rows(fill)
    yield from _memory_row(server, "resident after the fill")
    for endpoint in rated(workspace, options.tickets):
        _report(endpoint.name)
        yield _rate_row(server, endpoint, options)
    yield from _search_rows(server, workspace)
    yield from _memory_row(server, "resident at the end")


def _rate_row(server: Server, endpoint: Endpoint, options: argparse.Namespace) -> Row:
    with Api(server.port) as api:
        answer = api.get(endpoint.paths[0])
    if len(answer) < endpoint.fewest_rows:
        raise LoadError(f"{endpoint.name}: {len(answer)} rows, expected {endpoint.fewest_rows}")
    requests = [encode_request(server.port, "GET", path) for path in endpoint.paths]
    warm_up = islice(cycle(requests), _WARM_UP_REQUESTS)
    run(server.port, warm_up, connections=options.connections, seconds=options.seconds)
    before = server.cpu_seconds()
    result = run(
        server.port, cycle(requests), connections=options.connections, seconds=options.seconds
    )
    after = server.cpu_seconds()
    cpu = None if before is None or after is None else (after - before) * 1000 / result.count
    row = _per_second(endpoint.name, result, endpoint.reference, endpoint.target)
    return replace(row, cpu_ms=cpu)


def _create_rows(fill: Fill) -> Iterator[Row]:
    for name, result, reference in (
        ("create tickets", fill.tickets, 245),
        ("create comments", fill.comments, 645),
    ):
        yield _per_second(name, result, reference, 2 * reference)


def _per_second(name: str, result: Result, reference: float, target: float) -> Row:
    return Row(
        name=name,
        value=result.per_second,
        unit="/s",
        p50_ms=result.percentile_ms(50),
        p99_ms=result.percentile_ms(99),
        body_kb=result.mean_body_kb,
        reference=number(reference),
        target=target,
        factor=result.per_second / target,
    )


def _search_rows(server: Server, workspace: Workspace) -> Iterator[Row]:
    for name, path in searches(workspace).items():
        with Api(server.port) as api:
            if not api.get(path):
                raise LoadError(f"{name}: nothing found")
        requests = [encode_request(server.port, "GET", path)] * _SEARCH_REQUESTS
        result = run(server.port, requests, seconds=_SEARCH_SECONDS)
        p50_ms = result.percentile_ms(50)
        yield Row(
            name=name,
            value=p50_ms,
            unit="ms",
            p50_ms=p50_ms,
            p99_ms=result.percentile_ms(99),
            body_kb=result.mean_body_kb,
            reference="700-1,200",
            target=_SEARCH_TARGET_MS,
            factor=_SEARCH_TARGET_MS / p50_ms,
        )


def _start_row(server: Server, name: str) -> Iterator[Row]:
    if (seconds := server.start_seconds) is not None:
        yield Row(
            name=name,
            value=seconds,
            unit="s",
            reference="1.6-2.6",
            target=_START_TARGET_S,
            factor=_START_TARGET_S / seconds,
        )


def _memory_row(server: Server, name: str) -> Iterator[Row]:
    if (megabytes := server.resident_mb()) is not None:
        yield Row(
            name=name,
            value=megabytes,
            unit="MB",
            reference="209",
            target=_MEMORY_TARGET_MB,
            factor=_MEMORY_TARGET_MB / megabytes,
        )


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
