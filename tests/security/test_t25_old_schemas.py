"""T25: databases of every released version are still served, with all that is in them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.security.schema_fixture import FOLDER, restore

from kombuse_kernel.app import build_app, kernel_for_tests
from kombuse_kernel.kernel import RunningKernel

FIXTURES = sorted(FOLDER.glob("schema-*.sql"))


@pytest.fixture(params=FIXTURES, ids=lambda path: path.stem)
def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningKernel]:
    home = tmp_path / "home"
    home.mkdir()
    restore(request.param, home / "data.db")
    kernel = kernel_for_tests(home, [])
    kernel.start()
    yield kernel
    kernel.stop()


def test_there_is_a_fixture() -> None:
    assert FIXTURES


def test_an_old_database_is_upgraded_and_serves_what_is_in_it(upgraded: RunningKernel) -> None:
    client = TestClient(build_app(upgraded), base_url="http://localhost")
    assert {status.state for status in upgraded.plugins} == {"loaded"}

    (project,) = client.get("/api/projects").json()
    listed = client.get("/api/tickets", params={"sort_by": "created_at"}).json()
    ticket = next(item for item in listed if item["ticket_number"] == 1)
    path = f"/api/projects/{project['id']}/tickets/by-number/1"
    (comment,) = client.get(f"{path}/comments").json()

    assert project["name"] == "Old project"
    assert {item["title"] for item in listed} == {"An old ticket", "A closed ticket"}
    assert [label["name"] for label in ticket["labels"]] == ["bug"]
    assert (ticket["claimed_by_id"], ticket["priority"]) == ("ann", 2)
    assert comment["body"] == "@[Ann](ann) remembers #1"
    assert comment["author"]["name"] == "Ann"
    (milestone,) = client.get(f"/api/projects/{project['id']}/milestones").json()
    assert (milestone["id"], milestone["title"]) == (ticket["milestone_id"], "First")
    found = client.get("/api/tickets", params={"search": "remembering"}).json()
    assert [item["id"] for item in found] == [ticket["id"]]
    assert len(client.get(f"{path}/timeline").json()["items"]) >= 4
    settings = client.get("/api/profiles/user-1/settings").json()
    assert [item["setting_value"] for item in settings if item["setting_key"] == "theme"] == [
        "dark"
    ]


def test_an_old_database_is_whole_and_takes_the_next_number(upgraded: RunningKernel) -> None:
    client = TestClient(build_app(upgraded), base_url="http://localhost")
    (project,) = client.get("/api/projects").json()
    body = {"project_id": project["id"], "author_id": "ann", "title": "A new one"}

    assert client.post("/api/tickets", json=body).json()["ticket_number"] == 3

    with upgraded.db.read() as tx:
        assert tx.value("PRAGMA integrity_check") == "ok"
        assert tx.all("PRAGMA foreign_key_check") == []
