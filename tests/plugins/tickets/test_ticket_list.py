"""GET /api/tickets without a search: filters, orders and pages."""

from collections.abc import Callable
from random import Random
from typing import Any, get_args

import pytest
from starlette.testclient import TestClient

from kombuse_plugins.tickets import queries
from kombuse_plugins.tickets.schemas import SortBy, SortOrder, Status
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

Listed = Callable[..., list[int]]
ORDERS = [(key, order) for key in get_args(SortBy) for order in get_args(SortOrder)]


@pytest.fixture
def listed(client: TestClient) -> Listed:
    """The ids of the tickets that a query finds."""

    def read(**query: Any) -> list[int]:
        answer = client.get("/api/tickets", params=query)
        assert answer.status_code == 200, answer.text
        return [ticket["id"] for ticket in answer.json()]

    return read


def scatter(kernel: Kernel, project_id: str, count: int, seed: int = 7) -> list[dict[str, Any]]:
    """Tickets of which many share the values that are sorted and filtered by."""
    random = Random(seed)
    times = [f"2026-01-0{day}T00:00:00.000Z" for day in range(1, 6)]
    with kernel.db.write() as tx:
        for number in range(1, count + 1):
            values = {
                "project_id": project_id,
                "ticket_number": number,
                "author_id": LOCAL_USER,
                "title": "t",
                "status": random.choice(get_args(Status)),
                "priority": random.choice([None, 0, 1, 2]),
                "created_at": random.choice(times),
                "updated_at": random.choice(times),
                "opened_at": random.choice(times),
                "closed_at": random.choice([None, *times]),
                "last_activity_at": random.choice(times),
            }
            marks = ", ".join("?" * len(values))
            sql = f"INSERT INTO tickets ({', '.join(values)}) VALUES ({marks})"
            tx.execute(sql, tuple(values.values()))
        return [dict(row) for row in tx.all("SELECT * FROM tickets ORDER BY id")]


def in_order(rows: list[dict[str, Any]], key: str, order: str) -> list[int]:
    """Nothing is less than anything; a missing priority is last both ways."""
    is_down = order == "desc"
    rows = sorted(rows, key=lambda row: row["id"], reverse=is_down)
    rows.sort(key=lambda row: (row[key] is not None, row[key] or 0), reverse=is_down)
    if key == "priority":
        rows.sort(key=lambda row: row[key] is None)
    return [row["id"] for row in rows]


@pytest.mark.parametrize(("key", "order"), ORDERS)
@pytest.mark.parametrize("few", [0, 1000])
def test_pages_of_every_order_show_each_ticket_once(
    kernel: Kernel,
    listed: Listed,
    project: Any,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    order: str,
    few: int,
) -> None:
    """Along the index of the order, and sorted when there are few."""
    monkeypatch.setattr(queries, "FEW", few)
    rows = scatter(kernel, project["id"], 60)
    query = {"sort_by": key, "sort_order": order, "author_id": LOCAL_USER, "limit": 7}

    for scope in ({}, {"project_id": project["id"]}):
        pages = [listed(**query, **scope, offset=offset) for offset in range(0, 70, 7)]

        assert [i for page in pages for i in page] == in_order(rows, key, order)
        assert pages[-1] == []


@pytest.mark.parametrize("seed", range(3))
def test_pages_of_a_filtered_list_show_each_match_once(
    kernel: Kernel, listed: Listed, project: Any, seed: int
) -> None:
    rows = scatter(kernel, project["id"], 80, seed)
    wanted = [row for row in rows if row["status"] == "open" and row["priority"] == 2]
    query = {"status": "open", "priority": 2, "sort_by": "created_at", "limit": 3}

    found = [i for offset in range(0, 60, 3) for i in listed(**query, offset=offset)]

    assert found == in_order(wanted, "created_at", "desc")


def test_the_default_order_is_by_activity(
    kernel: Kernel, make: Factory, listed: Listed, project: Any
) -> None:
    first, second = make.ticket(project)["id"], make.ticket(project)["id"]
    assert listed() == [second, first]

    with kernel.db.write() as tx:
        tx.execute("UPDATE tickets SET last_activity_at = '9999' WHERE id = ?", (first,))

    assert listed() == [first, second]
    assert listed(sort_order="asc") == [second, first]


def test_each_filter_leaves_what_it_names(
    make: Factory, listed: Listed, project: Any, ann: str, bob: str
) -> None:
    milestone = make.milestone(project)["id"]
    red, blue = make.label(project)["id"], make.label(project)["id"]
    one = make.ticket(project, author_id=ann, priority=0, label_ids=[red])["id"]
    two = make.ticket(project, assignee_id=bob, status="blocked", label_ids=[red, blue])["id"]
    other = make.ticket(make.project(), author_id=bob)["id"]
    four = make.ticket(project, milestone_id=milestone, priority=2)["id"]

    def found(**query: Any) -> set[int]:
        return set(listed(**query))

    assert found(project_id=project["id"]) == found(project_id=project["slug"]) == {one, two, four}
    assert found(project_id="unknown") == set()
    assert found(author_id=ann) == found(priority=0) == {one}
    assert found(assignee_id=bob) == found(status="blocked") == {two}
    assert found(author_id=bob) == {other}
    assert found(milestone_id=milestone) == {four}
    assert found(label_ids=red) == found(label_ids=f"{red},{red}") == {one, two}
    assert found(label_ids=f"{red}, {blue}") == {two}
    assert found(label_ids=99) == found(assignee_id="null") == set()
    assert found(author_id=LOCAL_USER, priority=2, project_id=project["id"]) == {four}
    everything = {one, two, four, other}
    empty = dict.fromkeys(("project_id", "author_id", "priority", "viewer_id", "search"), "")
    assert found(**empty) == found() == everything


def test_claim_filters_mean_what_they_say(
    client: TestClient, kernel: Kernel, make: Factory, listed: Listed, project: Any, ann: str
) -> None:
    free, held, expired = (make.ticket(project)["id"] for _ in range(3))
    path = f"/api/projects/{project['id']}/tickets/by-number"
    for number in (2, 3):
        body = {"claimer_id": ann, "duration_minutes": 5}
        assert client.post(f"{path}/{number}/claim", json=body).status_code == 200
    with kernel.db.write() as tx:
        tx.execute("UPDATE tickets SET claim_expires_at = '2020' WHERE id = ?", (expired,))

    def found(**query: Any) -> set[int]:
        return set(listed(**query))

    assert found(unclaimed="true") == found(unclaimed="1") == {free}
    assert found(unclaimed="false") == found(claimed_by_id=ann) == {held, expired}
    assert found(expired_claims="true") == {expired}
    assert found(expired_claims="false") == {free, held}
    assert found(unclaimed="") == {free, held, expired}


def test_a_list_that_hangs_on_the_time_is_not_cached(client: TestClient) -> None:
    plain = client.get("/api/tickets")
    expired = client.get("/api/tickets", params={"expired_claims": "true"})

    assert "etag" in plain.headers and "etag" not in expired.headers


@pytest.mark.parametrize(
    "query",
    [
        {"status": "done"},
        {"status": ""},
        {"priority": 7},
        {"priority": "two"},
        {"sort_by": "title"},
        {"sort_by": ""},
        {"sort_order": "DESC"},
        {"unclaimed": "yes"},
        {"expired_claims": "2"},
        {"limit": 0},
        {"limit": "x"},
        {"offset": -1},
        {"milestone_id": "null"},
        {"milestone_id": 0},
        {"label_ids": ""},
        {"label_ids": "1,,2"},
        {"label_ids": "0"},
        {"search": "a" * 201},
        [("status", "open"), ("status", "closed")],
    ],
)
def test_a_query_that_does_not_fit_is_refused(client: TestClient, query: Any) -> None:
    answer = client.get("/api/tickets", params=query)

    assert answer.status_code == 400
    assert len(answer.json()["error"]) == 1


def test_a_limit_above_a_hundred_is_a_hundred(kernel: Kernel, listed: Listed, project: Any) -> None:
    scatter(kernel, project["id"], 120)

    assert [len(listed(limit=limit)) for limit in (1, 100, 100_000)] == [1, 100, 100]
    assert len(listed()) == 50
    assert listed(offset=10**15) == []


def test_rows_show_author_assignee_and_labels(
    client: TestClient, make: Factory, project: Any, ann: str
) -> None:
    label = make.label(project)
    made = make.ticket(project, author_id=ann, label_ids=[label["id"]], body='{"a": "}}"}')

    (row,) = client.get("/api/tickets").json()

    joined = {name: row.pop(name) for name in ("author", "assignee", "labels")}
    assert row == made
    assert joined["author"]["name"] == "Ann" and joined["assignee"] is None
    assert joined["labels"] == [label]
