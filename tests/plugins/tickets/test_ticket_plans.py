"""Every order and filter of the list is served by an index."""

from typing import Any, get_args

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner

from kombuse_plugins.tickets import queries
from kombuse_plugins.tickets.schemas import SortBy, SortOrder, TicketFilter
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

ORDERS = [(key, order) for key in get_args(SortBy) for order in get_args(SortOrder)]
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "status": {"status": "open"},
    "status and priority": {"status": "open", "priority": "2"},
    "author": {"author_id": LOCAL_USER},
    "assignee": {"assignee_id": LOCAL_USER},
    "claimer": {"claimed_by_id": LOCAL_USER},
    "unclaimed": {"unclaimed": "true"},
    "expired": {"expired_claims": "true"},
    "viewer": {"viewer_id": LOCAL_USER},
}
CONTRIBUTED: dict[str, dict[str, Any]] = {
    "milestone": {"milestone_id": 1},
    "labels": {"label_ids": [1, 2]},
}


@pytest.fixture(params=["without statistics", "analysed"])
def filled(
    request: pytest.FixtureRequest, kernel: Kernel, client: TestClient, make: Factory
) -> Any:
    """A project with some thousand tickets."""
    project = make.project()
    sql = f"""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO tickets (project_id, ticket_number, author_id, assignee_id, status, priority,
            created_at, updated_at, opened_at, last_activity_at, closed_at, title)
        SELECT '{project["id"]}', i, '{LOCAL_USER}', '{LOCAL_USER}',
            iif(i % 2, 'open', 'closed'), nullif(i % 6, 5), i, i, i, i, iif(i % 2, NULL, i), 't'
        FROM n
    """
    with kernel.db.write() as tx:
        tx.execute(sql)
        if request.param == "analysed":
            tx.execute("ANALYZE")
    return project


def planned(kernel: Kernel, query: dict[str, Any], **contributed: Any) -> Planner:
    """In the writing transaction: its connection has read the statistics that it made."""
    with kernel.db.write() as tx:
        planner = Planner(tx)
        queries.page(planner, TicketFilter(**query), **contributed)
        return planner


def test_every_order_is_walked_along_its_index(
    kernel: Kernel, filled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "FEW", -1)
    filters: list[tuple[Any, Any]] = [(query, {}) for query in FILTERS.values()]
    filters += [({}, contributed) for contributed in CONTRIBUTED.values()]
    for scope in ({}, {"project_id": filled["id"]}):
        index = "tickets_project_" if scope else "tickets_"
        for key, order in ORDERS:
            for query, contributed in filters:
                shown = query | scope | {"sort_by": key, "sort_order": order}
                outline = planned(kernel, shown, **contributed).outline
                assert f"t USING INDEX {index}{key}" in outline[0]
                assert not any("TEMP B-TREE" in line for line in outline), outline


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("author", "tickets_author"),
        ("assignee", "tickets_assignee"),
        ("claimer", "tickets_claimer"),
        ("unclaimed", "tickets_claimer"),
        ("expired", "tickets_claim_expiry"),
        ("milestone", "tickets_milestone"),
    ],
)
def test_few_are_found_by_the_index_of_the_filter(
    kernel: Kernel, filled: Any, monkeypatch: pytest.MonkeyPatch, name: str, index: str
) -> None:
    monkeypatch.setattr(queries, "FEW", 10**9)
    for scope in ({}, {"project_id": filled["id"]}):
        query = FILTERS.get(name, {}) | scope

        lines = planned(kernel, query, **CONTRIBUTED.get(name, {})).plan

        assert any(f"SEARCH t USING INDEX {index} " in line for line in lines), lines
        assert not any(line.startswith("SCAN t") for line in lines), lines


def test_one_ticket_and_the_counts_are_found_at_once(kernel: Kernel, filled: Any) -> None:
    with kernel.db.read() as tx:
        by_number = tx.all(f"EXPLAIN QUERY PLAN {queries._REF}", (filled["id"], 1))
        counts = tx.all(f"EXPLAIN QUERY PLAN {queries._COUNTS}", (filled["id"],))

    assert "sqlite_autoindex_tickets_1" in by_number[0]["detail"]
    assert "SEARCH ticket_counts USING PRIMARY KEY" in counts[0]["detail"]
