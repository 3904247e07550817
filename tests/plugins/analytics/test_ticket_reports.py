"""Burndown, throughput and costs, against the same figures worked out in Python."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.analytics.past import NOON, Past, mean, quantiles

from kombuse_sdk.testing import Factory, ticket_path

Report = Callable[..., Any]
MARCH_1 = date(2025, 3, 1)
LATEST = datetime(2025, 3, 31, 23, 59, 59, 999_000, tzinfo=UTC)


@pytest.fixture
def tickets(past: Past, make: Factory, project: Any) -> list[tuple[date, date | None, int]]:
    """Tickets around March: (created, closed, milliseconds between the two)."""
    random = Random(8)
    made = []
    for _ in range(60):
        created = NOON + timedelta(minutes=random.randrange(-40_000, 40_000))
        open_for = timedelta(milliseconds=random.randrange(1, 2_000_000_000))
        closed = created + open_for if random.random() < 0.7 else None
        past.date_ticket(make.ticket(project), created, closed)
        milliseconds = open_for // timedelta(milliseconds=1)
        made.append((created.date(), closed and closed.date(), milliseconds))
    return made


def test_a_burndown_counts_tickets_at_the_end_of_each_day(
    report: Report, tickets: list[tuple[date, date | None, int]]
) -> None:
    expected = []
    for day in (MARCH_1 + timedelta(days=number) for number in range(31)):
        total = sum(created <= day for created, _, _ in tickets)
        closed = sum(end is not None and end <= day for _, end, _ in tickets)
        row = {"date": day.isoformat(), "total": total, "open": total - closed, "closed": closed}
        expected.append(row | {"ideal": None})

    assert report("ticket-burndown") == expected


def test_the_last_millisecond_of_the_last_day_counts(
    past: Past, report: Report, make: Factory, project: Any
) -> None:
    past.date_ticket(make.ticket(project), LATEST, LATEST)
    past.date_ticket(make.ticket(project), LATEST + timedelta(milliseconds=1))

    row = report("ticket-burndown")[-1]

    assert (row["date"], row["total"], row["closed"]) == ("2025-03-31", 1, 1)


def test_the_ideal_line_goes_from_the_first_day_to_the_due_date(
    past: Past, report: Report, make: Factory, project: Any, client: TestClient
) -> None:
    milestone = make.milestone(project, due_date="2025-03-11")
    for number in range(8):
        ticket = make.ticket(project, **({"milestone_id": milestone["id"]} if number else {}))
        past.date_ticket(ticket, NOON - timedelta(days=20 if number < 6 else 5))
    total, start, due = 5, MARCH_1, date(2025, 3, 11)
    expected = []
    for day in (MARCH_1 + timedelta(days=number) for number in range(31)):
        left = total * (1 - min((day - start).days / (due - start).days, 1))
        expected.append(max(0, int(left + 0.5)))

    rows = report("ticket-burndown", milestone_id=milestone["id"])

    assert [row["ideal"] for row in rows] == expected
    assert (rows[0]["total"], rows[-1]["total"]) == (5, 7)


@pytest.mark.parametrize("due", [None, "2025-03-01", "2024-01-01"])
def test_without_a_due_date_to_come_there_is_no_ideal_line(
    past: Past, report: Report, make: Factory, project: Any, due: str | None
) -> None:
    milestone = make.milestone(project, **({"due_date": due} if due else {}))
    past.date_ticket(make.ticket(project, milestone_id=milestone["id"]), NOON - timedelta(days=30))

    rows = report("ticket-burndown", milestone_id=milestone["id"])

    assert {(row["total"], row["ideal"]) for row in rows} == {(1, None)}


def test_without_a_ticket_on_the_first_day_there_is_no_ideal_line(
    past: Past, report: Report, make: Factory, project: Any
) -> None:
    milestone = make.milestone(project, due_date="2025-03-20")
    past.date_ticket(make.ticket(project, milestone_id=milestone["id"]), NOON)

    rows = report("ticket-burndown", milestone_id=milestone["id"])

    assert {row["ideal"] for row in rows} == {None}
    assert rows[-1]["total"] == 1


def test_a_burndown_is_narrowed_by_label_and_milestone_together(
    past: Past, report: Report, make: Factory, project: Any
) -> None:
    label, milestone = make.label(project), make.milestone(project)
    for values in (
        {"label_ids": [label["id"]]},
        {"milestone_id": milestone["id"]},
        {"label_ids": [label["id"]], "milestone_id": milestone["id"]},
    ):
        past.date_ticket(make.ticket(project, **values), NOON)

    def total(**query: Any) -> int:
        found: int = report("ticket-burndown", **query)[-1]["total"]
        return found

    assert total() == 3
    assert total(label_id=label["id"]) == total(milestone_id=milestone["id"]) == 2
    assert total(label_id=label["id"], milestone_id=milestone["id"]) == 1
    assert total(label_id=9999) == total(milestone_id=9999) == 0


def test_a_reopened_ticket_is_open_again(
    report: Report, make: Factory, project: Any, client: TestClient
) -> None:
    ticket = make.ticket(project, status="closed")
    client.patch(ticket_path(ticket), json={"status": "open"}).raise_for_status()

    row = report("ticket-burndown", **{"from": None, "to": None})[-1]

    assert (row["total"], row["open"], row["closed"]) == (1, 1, 0)


@pytest.mark.parametrize("group_by", ["day", "week", "month", "total"])
def test_throughput_has_what_was_created_and_closed_in_each_period(
    report: Report, tickets: list[tuple[date, date | None, int]], group_by: str
) -> None:
    def period(day: date) -> date:
        begins = {
            "day": day,
            "week": day - timedelta(days=day.weekday()),
            "month": day.replace(day=1),
            "total": MARCH_1,
        }
        return begins[group_by]

    days = [MARCH_1 + timedelta(days=number) for number in range(31)]
    expected = []
    for start in sorted({period(day) for day in days}):
        inside = [day for day in days if period(day) == start]
        times = [milliseconds for _, closed, milliseconds in tickets if closed in inside]
        figures: dict[str, Any] = dict.fromkeys(("avg", "p50", "p90", "p99"))
        if times:
            figures = {"avg": mean(times)} | quantiles(times)
        created = sum(begin in inside for begin, _, _ in tickets)
        row = {"date": start.isoformat(), "created": created, "closed": len(times)}
        expected.append(row | figures)

    assert report("throughput", group_by=group_by) == expected


def test_throughput_without_a_project_is_that_of_all(
    past: Past, make: Factory, client: TestClient, project: Any
) -> None:
    for owner in (project, make.project()):
        past.date_ticket(make.ticket(owner), NOON, NOON + timedelta(seconds=1))
    query = {"from": "2025-03-01", "to": "2025-03-31", "group_by": "total"}

    (all_projects,) = client.get("/api/analytics/throughput", params=query).json()

    assert (all_projects["created"], all_projects["closed"], all_projects["p99"]) == (2, 2, 1000)


def test_costs_are_those_of_each_day_agent_and_ticket(
    past: Past,
    report: Report,
    make: Factory,
    project: Any,
    agent: Callable[[str], str],
) -> None:
    ticket, ada = make.ticket(project), agent("Ada")
    past.usage("2025-03-10", ada, ticket["id"], 0.1)
    past.usage("2025-03-10", ada, ticket["id"], 0.2)
    past.usage("2025-03-10", None, None, 1.0)
    past.usage("2025-03-11", ada, None, 0.5)
    past.usage("2025-04-01", ada, None, 9.0)

    rows = report("costs")

    assert [(row["date"], row["agent_name"], row["cost_usd"]) for row in rows] == [
        ("2025-03-11", "Ada", 0.5),
        ("2025-03-10", "Unknown", 1.0),
        ("2025-03-10", "Ada", 0.3),
    ]
    assert rows[2] == {
        "date": "2025-03-10",
        "agent_id": ada,
        "agent_name": "Ada",
        "ticket_id": ticket["id"],
        "ticket_number": 1,
        "ticket_title": ticket["title"],
        "sessions": 2,
        "turns": 4,
        "input_tokens": 200,
        "output_tokens": 20,
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "cost_usd": 0.3,
    }
    assert report("costs", limit=1) == rows[:1]


def test_costs_can_be_summed_by_one_thing(
    past: Past, report: Report, agent: Callable[[str], str]
) -> None:
    ada = agent("Ada")
    for day, agent_id, cost in (
        ("2025-03-10", ada, 1.0),
        ("2025-03-11", ada, 2.0),
        ("2025-03-11", None, 4.0),
    ):
        past.usage(day, agent_id, None, cost)

    def sums(group_by: str, key: str) -> list[tuple[Any, float]]:
        return [(row[key], row["cost_usd"]) for row in report("costs", group_by=group_by)]

    assert sums("day", "date") == [("2025-03-11", 6.0), ("2025-03-10", 1.0)]
    assert sums("agent", "agent_id") == [(None, 4.0), (ada, 3.0)]
    assert sums("ticket", "ticket_id") == [(None, 7.0)]
    assert sums("day", "agent_name") == [(None, 6.0), (None, 1.0)]
