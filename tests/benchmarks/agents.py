"""Agents of the mock backend: dispatch of events, also over a kill, a flood, approvals."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import approvals
import dispatch
import flood
from approvals import Approvals
from dispatch import Dispatch
from flood import Flood

from load import LoadError
from server_process import serve, temporary_home
from table import between, number, print_table

_DISPATCH_TARGET_S = 10.0
_LATENCY_TARGET_MS = 50.0
_GROWTH_TARGET_MB = 16.0
_APPROVAL_TARGET_MS = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; a factor of 1 or more means that the target is reached."""

    name: str
    value: float
    unit: str
    p50_ms: float | None = None
    cpu_s: float | None = None
    target: float | None = None
    note: str = ""

    @property
    def factor(self) -> float | None:
        return None if self.target is None else self.target / max(self.value, 0.1)

    def cells(self) -> list[str]:
        return [
            self.name,
            number(self.value, 1),
            self.unit,
            number(self.p50_ms, 1),
            number(self.cpu_s, 1),
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
    headings = ("measured", "value", "unit", "p50 ms", "cpu s", "target", "factor")
    print_table(headings, [row.cells() for row in rows])
    print()
    for row in rows:
        print(f"{row.name}: {row.note}")
    if options.json:
        found = [asdict(row) | {"factor": row.factor} for row in rows]
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=between(20, 2000), default=200, help="that start an agent")
    parser.add_argument("--work-ms", type=between(0, 1000), default=100, help="that a run waits")
    parser.add_argument("--kills", type=between(1, 2), default=2, help="of the server meanwhile")
    parser.add_argument(
        "--flood", type=between(1000, 100_000), default=20_000, help="events of one session"
    )
    parser.add_argument("--sessions", type=between(1, 10), default=3, help="that say so much")
    parser.add_argument("--requests", type=between(2, 500), default=30, help="for permission")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows as JSON")
    return parser.parse_args()


def _measure_all(options: argparse.Namespace) -> Iterator[Row]:
    with temporary_home() as home, serve(home) as server:
        _report("dispatch")
        yield _dispatch_row("", dispatch.measure(server, options.events, options.work_ms))
        _report("permission requests")
        yield from _approval_rows("", approvals.measure(server, options.requests))
        _report("flood")
        yield from _flood_rows(flood.measure(server, options.sessions, options.flood), options)
        with flood.running(server, options.flood):
            flooded = approvals.measure(server, options.requests)
        yield from _approval_rows(", flooded", flooded)
    for when, retry in (("killed", False), ("killed, retried", True)):
        _report(f"dispatch, {when}")
        with temporary_home() as home:
            found = dispatch.measure_killed(
                home, options.events, options.work_ms, options.kills, retry=retry
            )
        # A retry waits for at least five seconds.
        yield _dispatch_row(f", {when}", found, None if retry else _DISPATCH_TARGET_S)


def _dispatch_row(name: str, found: Dispatch, target: float | None = _DISPATCH_TARGET_S) -> Row:
    if found.most_at_once > dispatch.AT_ONCE:
        raise LoadError(f"{found.most_at_once} runs at once, expected {dispatch.AT_ONCE} at most")
    failed = [f"{count} failed: {reason}" for reason, count in found.failed.items()]
    if failed and (not found.unsent or target is None):
        raise LoadError(", ".join(failed))
    notes = [f"{found.completed} completed", *failed, f"at most {found.most_at_once} at once"]
    notes += [f"killed with {unsent} requests to come" for unsent in found.unsent]
    return Row(
        name=f"{found.events} events dispatched{name}",
        value=found.seconds,
        unit="s",
        cpu_s=found.cpu_seconds,
        target=target,
        note=", ".join(notes),
    )


def _approval_rows(when: str, found: Approvals) -> Iterator[Row]:
    for name, times, target in (
        ("permission request to client", found.asked, _APPROVAL_TARGET_MS),
        ("answer to confirmation", found.answered, _APPROVAL_TARGET_MS),
        ("answer to next request", found.went_on, None),
    ):
        yield Row(
            name=f"{name}{when}",
            value=_percentile(times, 99),
            unit="ms p99",
            p50_ms=_percentile(times, 50),
            target=target,
            note=f"{len(times)} times",
        )


def _flood_rows(found: Flood, options: argparse.Namespace) -> Iterator[Row]:
    times = ", ".join(number(seconds, 1) for seconds in found.seconds)
    yield Row(
        name=f"{options.flood:,} events of a session",
        value=max(found.seconds),
        unit="s",
        cpu_s=found.cpu_seconds,
        note=f"took {times} s with the load beside it; all stored, and streamed to a client;"
        " cpu is that of all",
    )
    for loads, when, target in (
        (found.quiet, "before", None),
        (found.beside, "meanwhile", _LATENCY_TARGET_MS),
    ):
        for name, result in loads.items():
            yield Row(
                name=f"{name} {when}",
                value=result.percentile_ms(99),
                unit="ms p99",
                p50_ms=result.percentile_ms(50),
                target=target,
                note=f"{result.count} times",
            )
    if found.resident_before is not None and found.resident_peaks:
        peaks = ", ".join(number(megabytes, 1) for megabytes in found.resident_peaks)
        ends = ", ".join(number(megabytes, 1) for megabytes in found.resident_ends)
        yield Row(
            name="growth of resident memory",
            value=max(*found.resident_peaks, *found.resident_ends) - found.resident_before,
            unit="MB",
            target=_GROWTH_TARGET_MB,
            note=f"{found.resident_before:.1f} MB before, at most {peaks}, then {ends}",
        )


def _percentile(ascending: Sequence[float], percent: int) -> float:
    """By nearest rank."""
    return ascending[max(0, -(-percent * len(ascending) // 100) - 1)]


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
