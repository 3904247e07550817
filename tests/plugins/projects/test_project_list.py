"""The list of projects: filters, search, pages, and the plans behind it."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_plugins.projects import queries
from kombuse_plugins.projects.schemas import ProjectFilter
from kombuse_sdk.sql import JsonText
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


def names(client: TestClient, **params: Any) -> list[str]:
    answer = client.get("/api/projects", params=params)
    assert answer.status_code == 200, answer.text
    return [project["name"] for project in answer.json()]


def test_the_newest_comes_first_also_within_one_millisecond(
    client: TestClient, make: Factory, kernel: Kernel
) -> None:
    for project_id in ("b", "a", "c"):
        make.project(id=project_id, name=project_id)
    with kernel.db.write() as tx:
        tx.execute("UPDATE projects SET created_at = '2026-01-01T00:00:00.000Z' WHERE id != 'c'")

    assert names(client) == ["c", "b", "a"]


def test_pages_cover_the_list_once(client: TestClient, make: Factory) -> None:
    made = [make.project()["name"] for _ in range(5)]

    pages = [names(client, limit=2, offset=offset) for offset in (0, 2, 4, 6)]

    assert pages == [made[:2:-1], made[2:0:-1], made[:1], []]


def test_a_page_holds_fifty_by_default_and_a_hundred_at_most(
    client: TestClient, make: Factory
) -> None:
    for _ in range(101):
        make.project()

    assert len(names(client)) == 50
    assert len(names(client, limit=1000)) == 100


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"limit": "1.5"}, "limit"),
        ({"limit": "1e1"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"repo_source": "svn"}, "repo_source"),
        ({"repo_source": ""}, "repo_source"),
        ({"owner_id": ["a", "b"]}, "owner_id"),
    ],
)
def test_bad_parameters_are_named(client: TestClient, params: Any, field: str) -> None:
    answer = client.get("/api/projects", params=params)

    assert answer.status_code == 400
    assert [i["path"] for i in answer.json()["error"]] == [[field]]


def test_filters_combine_and_empty_ones_count_as_absent(client: TestClient, make: Factory) -> None:
    bob = make.profile()["id"]
    make.project(name="mine", repo_source="github")
    make.project(name="bobs", owner_id=bob)
    make.project(name="bobs hub", owner_id=bob, repo_source="github")

    assert names(client, owner_id=bob) == ["bobs hub", "bobs"]
    assert names(client, repo_source="github") == ["bobs hub", "mine"]
    assert names(client, owner_id=bob, repo_source="github", search="HUB") == ["bobs hub"]
    assert names(client, owner_id="nobody") == []
    assert len(names(client, owner_id="", search="", limit="", offset="")) == 3


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("über", ["ÜBER"]),
        ("STRASSE", ["Straße"]),
        ("e\u0301", ["Caf\u00e9"]),
        ("wood", ["Maple"]),
        ("100%", ["100% done"]),
        ("%", ["100% done"]),
        ("_", []),
        ("\\", []),
        ("\0", []),
        ("' OR 1=1 --", []),
    ],
)
def test_search_is_literal_and_knows_upper_case(
    client: TestClient, make: Factory, search: str, found: list[str]
) -> None:
    for name in ("ÜBER", "Straße", "Caf\u00e9", "100% done"):
        make.project(name=name)
    make.project(name="Maple", description="A kind of Wood")

    assert names(client, search=search) == found


def test_search_follows_an_update(client: TestClient, make: Factory) -> None:
    made = make.project(name="old", description="words")
    address = f"/api/projects/{made['id']}"

    client.patch(address, json={"name": "new"})
    assert (names(client, search="old"), names(client, search="words")) == ([], ["new"])

    client.patch(address, json={"description": None})
    assert (names(client, search="words"), names(client, search="new")) == ([], ["new"])


class Plans:
    """Collects the plans of the statements that a query would run."""

    def __init__(self, tx: Any) -> None:
        self.tx = tx
        self.kernel = tx.kernel
        self.details: list[str] = []

    def json_list(self, sql: str, params: Any = ()) -> JsonText:
        rows = self.tx.all(f"EXPLAIN QUERY PLAN {sql}", params)
        self.details += [row["detail"] for row in rows]
        return JsonText(b"[]")

    def value(self, sql: str, params: Any = ()) -> None:
        self.json_list(sql, params)

    def values(self, sql: str, params: Any = ()) -> list[Any]:
        self.json_list(sql, params)
        return []


@pytest.mark.parametrize(
    ("given", "index"),
    [
        ({}, "projects_created"),
        ({"search": "x"}, "projects_created"),
        ({"owner_id": "o"}, "projects_owner"),
        ({"repo_source": "github"}, "projects_repo_source"),
        ({"owner_id": "o", "search": "x"}, "projects_owner"),
    ],
)
def test_every_list_is_served_in_order_by_an_index(
    kernel: Kernel, given: dict[str, Any], index: str
) -> None:
    with kernel.db.read() as tx:
        plans: Any = Plans(tx)
        queries.page(plans, ProjectFilter(**given))

    assert len(plans.details) == 1
    assert f"USING INDEX {index}" in plans.details[0]


def test_every_lookup_is_a_search_of_an_index(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        plans: Any = Plans(tx)
        for look_up in (
            queries.by_id,
            queries.by_folded_id,
            queries.by_slug,
            queries.by_local_path,
            queries.taken,
        ):
            look_up(plans, "x")

    assert not [detail for detail in plans.details if detail.startswith("SCAN")]
