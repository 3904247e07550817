"""The example of a package with Python does what its README says."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_kernel.app import build_app, kernel_for_tests
from kombuse_kernel.kernel import RunningKernel
from kombuse_sdk.testing import Factory, ticket_path

FOLDER = Path(__file__).parents[2] / "examples" / "stale_tickets"
Restart = Callable[[], TestClient]
running: list[RunningKernel] = []


@pytest.fixture
def restart(kombuse_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Restart]:
    """Each test imports the package from a home of its own."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in sys.modules if name.startswith("stale_tickets")]:
        monkeypatch.delitem(sys.modules, name)
    kombuse_home.mkdir(mode=0o700)

    def restarting() -> TestClient:
        while running:
            running.pop().stop()
        kernel = kernel_for_tests(kombuse_home, [])
        kernel.start()
        running.append(kernel)
        return TestClient(build_app(kernel), base_url="http://127.0.0.1:3331")

    yield restarting
    while running:
        running.pop().stop()


@pytest.fixture
def project(restart: Restart) -> Any:
    """A project into which the package is installed; the server was started again since."""
    client = restart()
    made = Factory(client).project()
    body = {"package_path": str(FOLDER), "project_id": made["id"], "allow_code": True}
    assert client.post("/api/plugins/install", json=body).status_code == 201
    return made


def mark() -> None:
    """What the job does once an hour."""
    (job,) = [
        job for _, job in running[0].offers("kombuse_jobs") if job.name == "stale-tickets.mark"
    ]
    job.run(running[0])


def test_an_untouched_ticket_is_marked_until_somebody_comments(
    restart: Restart, project: Any
) -> None:
    client = restart()
    make = Factory(client)
    old, new = make.ticket(project, title="Old"), make.ticket(project, title="New")
    long_ago = "2020-01-01T00:00:00.000Z"
    with running[0].db.write() as tx:
        tx.execute("UPDATE tickets SET last_activity_at = ? WHERE id = ?", (long_ago, old["id"]))

    def stale(ticket: Any) -> bool:
        found: bool = client.get(ticket_path(ticket)).json()["is_stale"]
        return found

    mark()
    mark()
    marked = stale(old), stale(new)
    (listed,) = client.get("/api/tickets?is_stale=true").json()
    (shown,) = client.get(f"/api/x/stale-tickets/{project['slug']}").json()
    events = client.get("/api/events?event_type=ticket.stale").json()
    make.comment(old)
    running[0].dispatcher.drain()

    assert marked == (True, False)
    assert listed["title"] == "Old"
    assert shown == {"ticket_number": old["ticket_number"], "title": "Old", "since": long_ago}
    assert [event["ticket_id"] for event in events] == [old["id"]]
    assert not stale(old)
    assert client.get("/api/tickets?is_stale=true").json() == []


def test_its_tool_lists_them(restart: Restart, project: Any) -> None:
    restart()

    tools = [tool.name for _, tool in running[0].offers("kombuse_mcp_tools")]

    assert "stale_tickets_list" in tools


def test_it_is_gone_with_its_package(restart: Restart, project: Any) -> None:
    client = restart()
    (plugin,) = client.get("/api/plugins").json()
    assert client.delete(f"/api/plugins/{plugin['id']}").status_code == 204
    client = restart()

    ticket = Factory(client).ticket(project)

    assert "is_stale" not in ticket
    assert client.get(f"/api/x/stale-tickets/{project['id']}").status_code == 404
