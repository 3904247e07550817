"""Reports on sessions and invocations, against the same figures worked out in Python."""

from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from tests.plugins.analytics.past import NOON, Past, mean, quantile, quantiles

from kombuse_plugins.sessions import payloads, recorder
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

Report = Callable[..., Any]
MakeAgent = Callable[[str], str]


def test_sessions_are_counted_by_the_day_they_began_on(past: Past, report: Report) -> None:
    for hours, status in ((0, "completed"), (5, "pending"), (12, "failed"), (48, "running")):
        past.session(NOON + timedelta(hours=hours), status=status)

    assert report("sessions-per-day") == [
        {"date": "2025-03-10", "count": 2},
        {"date": "2025-03-11", "count": 1},
        {"date": "2025-03-12", "count": 1},
    ]


@pytest.mark.parametrize(
    ("seconds", "p50", "p90", "p99", "avg"),
    [
        (range(1, 11), 6000, 10000, 10000, 5500),
        (range(3), 1000, 2000, 2000, 1000),
        ([7], 7000, 7000, 7000, 7000),
    ],
)
def test_quantiles_are_the_upper_nearest_rank(
    past: Past, report: Report, seconds: Any, p50: int, p90: int, p99: int, avg: int
) -> None:
    for number in seconds:
        past.session(milliseconds=number * 1000)

    assert report("duration-percentiles") == [
        {
            "agent_id": None,
            "agent_name": "Unknown",
            "p50": p50,
            "p90": p90,
            "p99": p99,
            "avg": avg,
            "count": len(seconds),
        }
    ]


def test_durations_are_whole_milliseconds_by_agent(
    past: Past, report: Report, agent: MakeAgent
) -> None:
    random = Random(3)
    expected = {}
    for name, count in (("Ada", 137), ("Bo", 100), ("Cy", 9)):
        durations = [random.randrange(10**7) for _ in range(count)]
        agent_id = agent(name)
        for milliseconds in durations:
            past.session(
                NOON + timedelta(minutes=random.randrange(5000)), milliseconds, agent_id=agent_id
            )
        expected[name] = quantiles(durations) | {"avg": mean(durations), "count": count}

    rows = report("duration-percentiles")

    assert [row["agent_name"] for row in rows] == ["Ada", "Bo", "Cy"]
    assert {row["agent_name"]: _figures(row) for row in rows} == expected


def test_only_completed_sessions_have_a_duration(past: Past, report: Report) -> None:
    past.session(milliseconds=5000)
    past.session(status="failed")
    past.session(status="stopped")
    past.session(milliseconds=None)

    (row,) = report("duration-percentiles")

    assert (row["count"], row["avg"]) == (1, 5000)


def test_stages_are_the_completed_invocations_of_each_agent(
    past: Past, report: Report, agent: MakeAgent
) -> None:
    random = Random(4)
    agent_id, other = agent("Ada"), agent("Bo")
    durations = [random.randrange(1, 10**6) for _ in range(43)]
    for milliseconds in durations:
        past.invocation(agent_id, NOON, milliseconds, "completed")
    past.invocation(agent_id, NOON, 5, "failed")
    past.invocation(other, NOON, 70, "completed")

    first, second = report("pipeline-stage-duration")

    assert first == {
        "agent_id": agent_id,
        "agent_name": "Ada",
        "avg_duration": mean(durations),
        "p50": quantile(durations, 50),
        "p90": quantile(durations, 90),
        "count": 43,
    }
    assert (second["agent_name"], second["p50"], second["count"]) == ("Bo", 70, 1)


def test_the_last_closed_tickets_have_a_row_for_every_run_of_an_agent(
    past: Past, report: Report, agent: MakeAgent, make: Factory, project: Any
) -> None:
    tickets = [make.ticket(project) for _ in range(4)]
    ada, bo = agent("Ada"), agent("Bo")
    for number, ticket in enumerate(tickets[:3]):
        past.date_ticket(ticket, NOON, NOON + timedelta(days=3 - number))
    for ticket in tickets:
        later = past.session(NOON + timedelta(hours=2), 3000, agent_id=ada, ticket_id=ticket["id"])
        first = past.session(NOON, 1000, agent_id=ada, ticket_id=ticket["id"])
        other = past.session(NOON + timedelta(hours=1), 2000, agent_id=bo, ticket_id=ticket["id"])
        past.session(NOON, 1000, agent_id=ada, ticket_id=ticket["id"], status="failed")
        if ticket is tickets[1]:
            expected = [(first, "Ada", 1, 1000), (other, "Bo", 1, 2000), (later, "Ada", 2, 3000)]

    rows = report("agent-runtime-per-ticket", limit=2)

    assert [row["ticket_number"] for row in rows] == [1, 1, 1, 2, 2, 2]
    assert rows[3]["ticket_title"] == tickets[1]["title"]
    assert rows[3]["kombuse_session_id"] == f"trigger-{rows[3]['session_id']}"
    assert [
        (row["session_id"], row["agent_name"], row["run_index"], row["duration_ms"])
        for row in rows[3:]
    ] == expected


@pytest.mark.parametrize(
    ("times", "active"),
    [
        ([0, 400, 1000], 1000),
        ([0, 300_000, 600_001, 600_005], 300_004),
        ([5], 0),
        ([0, 10, 5, 20], 20),
    ],
)
def test_pauses_of_more_than_five_minutes_are_no_run_time(
    past: Past,
    report: Report,
    make: Factory,
    project: Any,
    kernel: Kernel,
    times: list[int],
    active: int,
) -> None:
    ticket = make.ticket(project, status="closed")
    session_id = past.session(NOON, 10**9, ticket_id=ticket["id"])
    for batch in (times[:2], times[2:]):
        entries = [_event(milliseconds) for milliseconds in batch]
        with kernel.db.write() as tx:
            recorder.append(tx, f"trigger-{session_id}", entries)

    (row,) = report("agent-runtime-per-ticket")

    assert row["duration_ms"] == active


def _event(milliseconds: int) -> payloads.Entry:
    made = payloads.entry("message", {"content": "x"}, backend="mock")
    assert made is not None
    made.payload["timestamp"] = 10**12 + milliseconds
    return made


def _figures(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in ("p50", "p90", "p99", "avg", "count")}
