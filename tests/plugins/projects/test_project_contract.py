"""What projects give to other plugins and to agents."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.contracts import Projects
from kombuse_sdk.errors import NotFound, Unprocessable
from kombuse_sdk.events import Event
from kombuse_sdk.mcp import Caller, Tool
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


def test_ticket_numbers_rise_per_project_and_leave_the_project_as_it_was(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    one, two = make.project(), make.project()
    projects = kernel.services.get(Projects)

    with kernel.db.write() as tx:
        numbers = [projects.next_ticket_number(tx, one["id"]) for _ in range(3)]
        other = projects.next_ticket_number(tx, two["id"])
    with kernel.db.write() as tx:
        later = projects.next_ticket_number(tx, one["id"])

    assert (numbers, other, later) == ([1, 2, 3], 1, 4)
    assert client.get(f"/api/projects/{one['id']}").json() == one


def test_a_number_of_an_unknown_project_is_refused(kernel: Kernel) -> None:
    with pytest.raises(NotFound), kernel.db.write() as tx:
        kernel.services.get(Projects).next_ticket_number(tx, "nothing")


def test_references_are_resolved_by_id_in_any_case_and_by_slug(
    kernel: Kernel, make: Factory
) -> None:
    made = make.project(name="Maple")
    projects = kernel.services.get(Projects)

    with kernel.db.read() as tx:
        found = [projects.resolve(tx, r) for r in (made["id"], made["id"].upper(), "maple")]
        assert found == [made["id"]] * 3
        assert projects.resolve(tx, "Maple") is None
        assert projects.require(tx, "maple") == made["id"]
        with pytest.raises(Unprocessable, match="scope_id does not reference an existing project"):
            projects.require(tx, "nothing", "scope_id")


def test_events_outlive_their_project(client: TestClient, kernel: Kernel, make: Factory) -> None:
    kept, gone = make.project()["id"], make.project()["id"]
    with kernel.db.write() as tx:
        for project_id in (kept, gone):
            tx.emit(Event(event_type="x", actor_type="system", project_id=project_id))

    client.delete(f"/api/projects/{gone}")

    with kernel.db.read() as tx:
        sql = "SELECT project_id FROM events WHERE event_type = 'x' ORDER BY id"
        assert tx.values(sql) == [kept, None]


def list_projects(kernel: Kernel, **arguments: Any) -> Any:
    offered = [value for _, value in kernel.offers("kombuse_mcp_tools")]
    (tool,) = [tool for tool in offered if isinstance(tool, Tool) and tool.name == "list_projects"]
    caller = Caller(profile_id="user-1", actor_type="user", is_anonymous=False)
    with kernel.db.read() as tx:
        return tool.run(tx, caller, tool.input(**arguments))


def test_agents_list_projects_newest_first(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    for name in ("Orchid", "Orchard", "Maple"):
        make.project(name=name)

    every = list_projects(kernel)
    some = list_projects(kernel, search="orch", limit=1, offset=1)

    assert every == {"projects": client.get("/api/projects").json(), "count": 3}
    assert ([p["name"] for p in some["projects"]], some["count"]) == (["Orchid"], 1)
