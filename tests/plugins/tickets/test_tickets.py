"""Creating, reading, changing and deleting tickets over REST."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_plugins.tickets import service
from kombuse_plugins.tickets.schemas import TicketCreate
from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT, LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

Events = Callable[[], list[tuple[str, Any]]]
GONE = "00000000-0000-4000-8000-00000000dead"


@pytest.fixture
def events(kernel: Kernel) -> Events:
    """The events of tickets so far, oldest first: type and payload."""

    def read() -> list[tuple[str, Any]]:
        sql = "SELECT event_type, payload FROM events WHERE event_type GLOB 'ticket.*' ORDER BY id"
        with kernel.db.read() as tx:
            return [(row["event_type"], json.loads(row["payload"])) for row in tx.all(sql)]

    return read


def body_of(project: Any, **values: Any) -> dict[str, Any]:
    return {"project_id": project["id"], "author_id": LOCAL_USER, "title": "t"} | values


def test_the_least_that_makes_a_ticket(client: TestClient, project: Any) -> None:
    answer = client.post("/api/tickets", json=body_of(project))

    made = answer.json()
    assert answer.status_code == 201
    assert made["ticket_number"] == 1
    assert made["status"] == "open"
    assert made["triggers_enabled"] is True and made["loop_protection_enabled"] is True
    assert made["opened_at"] == made["created_at"] == made["last_activity_at"]
    nothing = ("body", "priority", "assignee_id", "claimed_by_id", "milestone_id", "closed_at")
    assert {made[name] for name in nothing} == {None}
    assert "author" not in made and "labels" not in made


def test_a_ticket_keeps_what_it_was_created_with(
    client: TestClient, make: Factory, project: Any, ann: str
) -> None:
    values = {
        "title": " \0 \u2028 日本 ",
        "body": "",
        "status": "closed",
        "priority": 0,
        "assignee_id": ann,
        "milestone_id": make.milestone(project)["id"],
        "label_ids": [make.label(project)["id"]],
        "triggers_enabled": False,
        "loop_protection_enabled": False,
        "external_source": "tracker",
        "external_id": "7",
        "external_url": "mailto:x",
    }

    made = client.post("/api/tickets", json=body_of(project, **values)).json()
    read = client.get(ticket_path(made)).json()

    label_ids = values.pop("label_ids")
    assert {name: made[name] for name in values} == values
    assert made["closed_at"] == made["created_at"]
    assert {name: read[name] for name in made} == made
    assert [label["id"] for label in read["labels"]] == label_ids
    assert read["author"]["id"] == LOCAL_USER and read["assignee"]["id"] == ann


def test_a_ticket_is_found_by_the_slug_of_its_project(client: TestClient, project: Any) -> None:
    made = client.post("/api/tickets", json=body_of(project, project_id=project["slug"])).json()

    answer = client.get(f"/api/projects/{project['slug']}/tickets/by-number/1")

    assert made["project_id"] == project["id"]
    assert answer.json()["id"] == made["id"]


@pytest.mark.parametrize(
    ("values", "path"),
    [
        ({"title": ""}, ["title"]),
        ({"title": None}, ["title"]),
        ({"body": None}, ["body"]),
        ({"body": 3}, ["body"]),
        ({"status": "done"}, ["status"]),
        ({"priority": 5}, ["priority"]),
        ({"priority": -1}, ["priority"]),
        ({"priority": "2"}, ["priority"]),
        ({"priority": None}, ["priority"]),
        ({"milestone_id": 0}, ["milestone_id"]),
        ({"label_ids": [0]}, ["label_ids", 0]),
        ({"label_ids": "1"}, ["label_ids"]),
        ({"triggers_enabled": 1}, ["triggers_enabled"]),
        ({"external_url": "no url"}, ["external_url"]),
        ({"author_id": ""}, ["author_id"]),
    ],
)
def test_a_field_that_does_not_fit_is_named(
    client: TestClient, project: Any, values: dict[str, Any], path: list[Any]
) -> None:
    answer = client.post("/api/tickets", json=body_of(project, **values))

    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["error"]] == [path]


@pytest.mark.parametrize(
    ("field", "resource"),
    [("project_id", "project"), ("author_id", "profile"), ("assignee_id", "profile")],
)
def test_a_reference_to_nothing_is_named(
    client: TestClient, project: Any, field: str, resource: str
) -> None:
    answer = client.post("/api/tickets", json=body_of(project, **{field: "nobody"}))

    assert answer.status_code == 422
    assert answer.json() == {"error": f"{field} does not reference an existing {resource}"}


def test_labels_and_milestones_of_other_projects_are_refused(
    client: TestClient, make: Factory, project: Any, events: Events
) -> None:
    other = make.project()
    label, milestone = make.label(other)["id"], make.milestone(other)["id"]

    with_label = client.post("/api/tickets", json=body_of(project, label_ids=[label]))
    with_milestone = client.post("/api/tickets", json=body_of(project, milestone_id=milestone))

    assert with_label.status_code == with_milestone.status_code == 400
    assert with_label.json() == {"error": "One or more labels are invalid for this project"}
    assert with_milestone.json() == {"error": "Milestone is invalid for this project"}
    assert events() == []
    assert make.ticket(project)["ticket_number"] == 1


def test_an_external_pair_is_there_once_but_a_source_alone_often(
    client: TestClient, make: Factory, project: Any
) -> None:
    pair = {"external_source": "x", "external_id": "1"}
    make.ticket(project, **pair)
    second = make.ticket(make.project(), external_source="x")
    make.ticket(project, external_source="x")

    created = client.post("/api/tickets", json=body_of(project, **pair))
    updated = client.patch(ticket_path(second), json={"external_id": "1"})

    assert created.status_code == updated.status_code == 409
    assert "external_source" in created.json()["error"]


def test_thirty_parallel_creates_get_consecutive_numbers(client: TestClient, project: Any) -> None:
    def create(_: int) -> int:
        number: int = client.post("/api/tickets", json=body_of(project)).json()["ticket_number"]
        return number

    with ThreadPoolExecutor(10) as pool:
        numbers = list(pool.map(create, range(30)))

    assert sorted(numbers) == list(range(1, 31))


def test_the_number_of_a_deleted_ticket_is_not_given_out_again(
    client: TestClient, make: Factory, project: Any
) -> None:
    make.ticket(project)
    newest = make.ticket(project)
    assert client.delete(ticket_path(newest)).status_code == 204

    assert make.ticket(project)["ticket_number"] == 3
    assert client.get(ticket_path(newest)).json() == {"error": "Ticket not found"}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("project_id", "number", "status", "error"),
    [
        (None, "abc", 400, "Invalid ticket number"),
        (None, "0", 400, "Invalid ticket number"),
        (None, "1.5", 400, "Invalid ticket number"),
        (None, "9" * 30, 404, None),
        (GONE, "1", 404, "Project not found"),
    ],
)
def test_a_ticket_that_is_not_there(
    client: TestClient,
    project: Any,
    method: str,
    project_id: str | None,
    number: str,
    status: int,
    error: str | None,
) -> None:
    path = f"/api/projects/{project_id or project['id']}/tickets/by-number/{number}"

    answer = client.request(method, path, json={} if method == "PATCH" else None)

    assert answer.status_code == status
    assert error is None or answer.json() == {"error": error}


def previous(values: dict[str, Any]) -> dict[str, Any]:
    return {f"previous_{name}": value for name, value in values.items()}


def test_every_field_can_be_changed_and_most_can_be_cleared(
    client: TestClient, make: Factory, project: Any, ann: str, events: Events
) -> None:
    ticket = make.ticket(project)
    values = {
        "title": "new",
        "body": "text",
        "triggers_enabled": False,
        "loop_protection_enabled": False,
        "status": "blocked",
        "priority": 4,
        "assignee_id": ann,
        "milestone_id": make.milestone(project)["id"],
        "external_source": "x",
        "external_id": "1",
        "external_url": "https://example.com",
    }
    cleared = dict.fromkeys([*list(values)[5:], "body"])

    changed = client.patch(ticket_path(ticket), json=dict(reversed(values.items()))).json()
    emptied = client.patch(ticket_path(ticket), json=cleared).json()

    assert {name: changed[name] for name in values} == values
    assert {name: emptied[name] for name in cleared} == cleared
    told = {name: values[name] for name in ("status", "priority", "assignee_id", "milestone_id")}
    before = {"status": "open", "priority": None, "assignee_id": None, "milestone_id": None}
    assert events()[1:] == [
        ("ticket.updated", {"changes": list(values)} | told | previous(before)),
        (
            "ticket.updated",
            {"changes": ["body", *list(values)[5:]]}
            | (before | {"status": "blocked"})
            | previous({name: value for name, value in told.items() if name != "status"}),
        ),
    ]


def test_an_update_that_changes_nothing_leaves_no_trace(
    client: TestClient, make: Factory, project: Any, events: Events
) -> None:
    ticket = make.ticket(project, body="b", priority=1)
    same = {name: ticket[name] for name in ("title", "body", "priority", "status")}

    answers = [
        client.patch(ticket_path(ticket), json=body)
        for body in ({}, same, {"updated_by_id": "nobody"}, {"ticket_number": 9, "author_id": "x"})
    ]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert all(answer.json() == ticket for answer in answers)
    assert [name for name, _ in events()] == ["ticket.created"]


def test_changes_names_only_what_differs(
    client: TestClient, make: Factory, project: Any, events: Events
) -> None:
    ticket = make.ticket(project, priority=1)

    client.patch(ticket_path(ticket), json={"priority": 2, "title": ticket["title"]})

    unchanged = {"status": "open", "assignee_id": None, "milestone_id": None}
    changed = {"changes": ["priority"], "priority": 2, "previous_priority": 1}
    assert events()[-1] == ("ticket.updated", unchanged | changed)


def test_closing_and_reopening_set_their_times_once(
    client: TestClient, make: Factory, project: Any, events: Events
) -> None:
    ticket = make.ticket(project)

    def patch(**body: Any) -> Any:
        return client.patch(ticket_path(ticket), json=body).json()

    closed = patch(status="closed")
    again = patch(status="closed", title="still closed")
    reopened = patch(status="blocked")
    moved = patch(status="in_progress")

    assert (
        closed["closed_at"] == closed["updated_at"] and closed["opened_at"] == ticket["opened_at"]
    )
    assert again["closed_at"] == closed["closed_at"]
    assert reopened["closed_at"] is None and reopened["opened_at"] == reopened["updated_at"]
    assert moved["opened_at"] == reopened["opened_at"]
    names = [name.removeprefix("ticket.") for name, _ in events()]
    assert names == ["created", "closed", "updated", "reopened", "updated"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"assignee_id": "nobody"}, "assignee_id does not reference an existing profile"),
        ({"updated_by_id": "nobody"}, "updated_by_id does not reference an existing profile"),
    ],
)
def test_the_422_of_an_update_names_the_right_field(
    client: TestClient, make: Factory, project: Any, body: dict[str, Any], error: str
) -> None:
    ticket = make.ticket(project)

    answer = client.patch(ticket_path(ticket), json={"title": "new"} | body)

    assert (answer.status_code, answer.json()) == (422, {"error": error})
    assert client.get(ticket_path(ticket)).json()["title"] == ticket["title"]


@pytest.mark.parametrize(
    ("actor", "actor_type"), [(None, "user"), (LOCAL_USER, "user"), (ANONYMOUS_AGENT, "agent")]
)
def test_events_tell_who_did_it(
    client: TestClient,
    make: Factory,
    project: Any,
    kernel: Kernel,
    actor: str | None,
    actor_type: str,
) -> None:
    ticket = make.ticket(project)
    who = {"updated_by_id": actor} if actor else {}

    client.patch(ticket_path(ticket), json={"title": "new"} | who)

    with kernel.db.read() as tx:
        event = tx.one("SELECT * FROM events ORDER BY id DESC LIMIT 1")
    assert event is not None
    assert (event["actor_id"], event["actor_type"]) == (actor, actor_type)
    assert (event["ticket_id"], event["project_id"]) == (ticket["id"], project["id"])


def test_a_milestone_of_another_project_cannot_be_assigned(
    client: TestClient, make: Factory, project: Any
) -> None:
    milestone = make.milestone(make.project())["id"]

    answer = client.patch(ticket_path(make.ticket(project)), json={"milestone_id": milestone})

    assert answer.status_code == 400
    assert answer.json() == {"error": "Milestone is invalid for this project"}


def test_deleting_takes_all_along_but_the_events(
    client: TestClient, make: Factory, project: Any, kernel: Kernel
) -> None:
    ticket = make.ticket(project, label_ids=[make.label(project)["id"]])
    make.comment(ticket)

    assert client.delete(ticket_path(ticket)).status_code == 204

    tables = ("tickets", "ticket_views", "ticket_labels", "comments")
    with kernel.db.read() as tx:
        assert [tx.value(f"SELECT count(*) FROM {table}") for table in tables] == [0] * 4
        assert tx.values("SELECT DISTINCT ticket_id FROM events") == [None]
        assert tx.value("SELECT count(*) FROM events") >= 2


def test_counts_follow_every_change(client: TestClient, make: Factory, project: Any) -> None:
    first, second = make.ticket(project), make.ticket(project, status="blocked")
    make.ticket(make.project())

    def counts(project_id: str = project["slug"]) -> list[int]:
        answer = client.get("/api/tickets/counts", params={"project_id": project_id})
        found = answer.json()
        assert list(found) == ["open", "in_progress", "blocked", "closed"]
        return list(found.values())

    assert counts() == [1, 0, 1, 0]
    client.patch(ticket_path(first), json={"status": "closed"})
    client.patch(ticket_path(first), json={"title": "another"})
    assert counts() == [0, 0, 1, 1]
    client.delete(ticket_path(second))
    assert counts(project["id"]) == [0, 0, 0, 1]
    assert counts("unknown") == [0, 0, 0, 0]
    client.delete(f"/api/projects/{project['id']}")
    assert counts(project["id"]) == [0, 0, 0, 0]


@pytest.mark.parametrize("query", [{}, {"project_id": ""}])
def test_counts_need_a_project(client: TestClient, query: dict[str, str]) -> None:
    assert client.get("/api/tickets/counts", params=query).status_code == 400


def test_an_event_that_is_refused_undoes_the_ticket(kernel: Kernel, project: Any) -> None:
    def refuse(**_: Any) -> None:
        raise ValueError("no")

    kernel.db.reactions = [refuse]  # type: ignore[attr-defined]
    body = TicketCreate(**body_of(project))

    with pytest.raises(ValueError, match="no"), kernel.db.write() as tx:
        service.create(tx, body)

    with kernel.db.read() as after:
        assert after.value("SELECT count(*) FROM tickets") == 0
