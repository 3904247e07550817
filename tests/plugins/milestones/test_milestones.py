"""Milestones over REST."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner

from kombuse_plugins.milestones import queries
from kombuse_plugins.milestones.schemas import MilestoneFilter
from kombuse_sdk.contracts import Milestones
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


def milestones_path(project: Any) -> str:
    return f"/api/projects/{project['id']}/milestones"


def titles(client: TestClient, project: Any, **query: Any) -> list[str]:
    answer = client.get(milestones_path(project), params=query)
    assert answer.status_code == 200, answer.text
    return [milestone["title"] for milestone in answer.json()]


def counts(client: TestClient, milestone: Any) -> tuple[int, int, int]:
    """Open, closed and all tickets, which the list must tell alike."""
    one = client.get(f"/api/milestones/{milestone['id']}").json()
    listed = client.get(f"/api/projects/{one['project_id']}/milestones").json()
    assert one in listed
    return one["open_count"], one["closed_count"], one["total_count"]


def milestone_events(client: TestClient) -> list[Any]:
    events = client.get("/api/events").json()
    return [event for event in events if event["event_type"].startswith("milestone.")]


def test_a_new_milestone_is_open_and_told_by_the_system(client: TestClient, make: Factory) -> None:
    project = make.project()
    body = {"title": "M", "due_date": "2031-02-01", "status": "closed"}

    made = client.post(milestones_path(project), json=body)

    assert made.status_code == 201
    milestone = made.json()
    assert milestone == {
        "id": milestone["id"],
        "project_id": project["id"],
        "title": "M",
        "description": None,
        "due_date": "2031-02-01",
        "status": "open",
        "created_at": milestone["created_at"],
        "updated_at": milestone["created_at"],
    }
    (event,) = milestone_events(client)
    assert event["event_type"] == "milestone.created"
    assert (event["actor_id"], event["actor_type"]) == (None, "system")
    assert (event["project_id"], event["ticket_id"]) == (project["id"], None)
    assert json.loads(event["payload"]) == {"milestone_id": milestone["id"], "title": "M"}


@pytest.mark.parametrize("due_date", ["2031-01-31", "2031-01-31T10:00:00Z", "2031-01-31T10:00"])
def test_iso_dates_are_kept_as_written(client: TestClient, make: Factory, due_date: str) -> None:
    assert make.milestone(make.project(), due_date=due_date)["due_date"] == due_date


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": ""}, "title"),
        ({"title": 7}, "title"),
        ({"title": "a", "description": 1}, "description"),
        ({"title": "a", "description": None}, "description"),
        ({"title": "a", "due_date": ""}, "due_date"),
        ({"title": "a", "due_date": "soon"}, "due_date"),
        ({"title": "a", "due_date": "2031-02-30"}, "due_date"),
        ({"title": "a", "due_date": "20310201"}, "due_date"),
        ({"title": "a", "due_date": 2031}, "due_date"),
    ],
)
def test_bad_fields_are_refused_without_an_event(
    client: TestClient, make: Factory, body: dict[str, Any], field: str
) -> None:
    answer = client.post(milestones_path(make.project()), json=body)

    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["error"]] == [[field]]
    assert milestone_events(client) == []


def test_milestones_of_an_unknown_project_are_not_found(client: TestClient) -> None:
    for answer in (
        client.get("/api/projects/nope/milestones"),
        client.post("/api/projects/nope/milestones", json={"title": "a"}),
    ):
        assert (answer.status_code, answer.json()) == (404, {"error": "Project not found"})


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_is_no_milestone_is_answered_as_such(client: TestClient, method: str) -> None:
    body: dict[str, str] | None = {} if method == "PATCH" else None

    bad = client.request(method, "/api/milestones/abc", json=body)
    unknown = client.request(method, "/api/milestones/99", json=body)

    assert (bad.status_code, bad.json()) == (400, {"error": "Invalid milestone ID"})
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Milestone not found"})


def test_the_list_goes_by_due_date_undated_last_and_newest_first(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    for title, due_date in (("b", None), ("late", "2032-01-01"), ("c", None)):
        make.milestone(project, title=title, **({"due_date": due_date} if due_date else {}))
    for title in ("early", "early too"):
        make.milestone(project, title=title, due_date="2031-01-01")

    assert titles(client, project) == ["early too", "early", "late", "c", "b"]


def test_the_status_filters_the_list(client: TestClient, make: Factory) -> None:
    project = make.project()
    make.milestone(project, title="open")
    closed = make.milestone(project, title="closed")
    client.patch(f"/api/milestones/{closed['id']}", json={"status": "closed"})

    assert titles(client, project, status="open") == ["open"]
    assert titles(client, project, status="closed") == ["closed"]
    assert len(titles(client, project)) == 2
    for status in ("late", ""):
        answer = client.get(milestones_path(project), params={"status": status})
        assert answer.status_code == 400


def test_an_update_answers_the_plain_milestone_and_is_told(
    client: TestClient, make: Factory
) -> None:
    milestone = make.milestone(make.project(), description="d", due_date="2031-01-01")
    changes = {"title": "N", "description": None, "due_date": None, "status": "closed"}

    answer = client.patch(f"/api/milestones/{milestone['id']}", json=changes)

    assert answer.status_code == 200
    assert answer.json() == milestone | changes | {"updated_at": answer.json()["updated_at"]}
    event = milestone_events(client)[0]
    assert event["event_type"] == "milestone.updated"
    assert json.loads(event["payload"]) == {"milestone_id": milestone["id"], "title": "N"}


def test_equal_values_change_nothing(client: TestClient, kernel: Kernel, make: Factory) -> None:
    milestone = make.milestone(make.project(), due_date="2031-01-01")
    path = f"/api/milestones/{milestone['id']}"
    same = {key: milestone[key] for key in ("title", "description", "due_date", "status")}
    old = milestone | {"updated_at": "2020-01-01T00:00:00.000Z"}
    with kernel.db.write() as tx:
        tx.execute("UPDATE milestones SET updated_at = ?", (old["updated_at"],))

    assert client.patch(path, json={}).json() == old
    assert client.patch(path, json=same).json() == old
    assert len(milestone_events(client)) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"title": None},
        {"title": ""},
        {"status": None},
        {"status": "late"},
        {"due_date": ""},
        {"due_date": "tomorrow"},
        {"description": 5},
    ],
)
def test_a_bad_update_changes_nothing(
    client: TestClient, make: Factory, body: dict[str, Any]
) -> None:
    milestone = make.milestone(make.project())

    answer = client.patch(f"/api/milestones/{milestone['id']}", json={"title": "new"} | body)

    assert answer.status_code == 400
    assert titles(client, {"id": milestone["project_id"]}) == [milestone["title"]]


def test_counts_follow_all_that_happens_to_tickets(client: TestClient, make: Factory) -> None:
    project = make.project()
    one, two = make.milestone(project), make.milestone(project)
    tickets = [
        make.ticket(project, milestone_id=one["id"], status=status)
        for status in ("open", "in_progress", "blocked", "closed")
    ]
    path = ticket_path(tickets[0])
    seen = [(counts(client, one), counts(client, two))]
    for body in (
        {"status": "closed"},
        {"status": "open"},
        {"milestone_id": two["id"], "status": "closed"},
        {"milestone_id": None},
        {"milestone_id": two["id"]},
    ):
        assert client.patch(path, json=body).status_code == 200
        seen.append((counts(client, one), counts(client, two)))
    for ticket in tickets:
        client.delete(ticket_path(ticket))
    seen.append((counts(client, one), counts(client, two)))

    assert seen == [
        ((3, 1, 4), (0, 0, 0)),
        ((2, 2, 4), (0, 0, 0)),
        ((3, 1, 4), (0, 0, 0)),
        ((2, 1, 3), (0, 1, 1)),
        ((2, 1, 3), (0, 0, 0)),
        ((2, 1, 3), (0, 1, 1)),
        ((0, 0, 0), (0, 0, 0)),
    ]


def test_a_closed_milestone_leaves_its_tickets_alone(client: TestClient, make: Factory) -> None:
    project = make.project()
    milestone = make.milestone(project)
    ticket = make.ticket(project, milestone_id=milestone["id"])

    client.patch(f"/api/milestones/{milestone['id']}", json={"status": "closed"})

    after = client.get(ticket_path(ticket)).json()
    assert {key: after[key] for key in ticket} == ticket
    assert counts(client, milestone) == (1, 0, 1)


def test_a_deleted_milestone_leaves_its_tickets_untouched_but_for_itself(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    project = make.project()
    milestone = make.milestone(project)
    ticket = make.ticket(project, milestone_id=milestone["id"])
    long_ago = dict.fromkeys(("updated_at", "last_activity_at"), "2020-01-01T00:00:00.000Z")
    with kernel.db.write() as tx:
        tx.execute(
            "UPDATE tickets SET updated_at = :updated_at, last_activity_at = :last_activity_at",
            long_ago,
        )

    assert client.delete(f"/api/milestones/{milestone['id']}").status_code == 204

    after = client.get(ticket_path(ticket)).json()
    assert {key: after[key] for key in ticket} == ticket | long_ago | {"milestone_id": None}
    events = client.get(f"{ticket_path(ticket)}/events").json()
    assert [event["event_type"] for event in events] == ["ticket.created"]
    event = milestone_events(client)[0]
    assert event["event_type"] == "milestone.deleted"
    assert json.loads(event["payload"]) == {
        "milestone_id": milestone["id"],
        "title": milestone["title"],
    }


def test_a_project_takes_its_milestones_along(client: TestClient, make: Factory) -> None:
    project = make.project()
    milestone = make.milestone(project)
    make.ticket(project, milestone_id=milestone["id"])

    assert client.delete(f"/api/projects/{project['id']}").status_code == 204

    assert client.get(f"/api/milestones/{milestone['id']}").status_code == 404


def test_tickets_are_found_by_milestone(client: TestClient, make: Factory) -> None:
    project = make.project()
    milestone, other = make.milestone(project), make.milestone(project)
    ticket = make.ticket(project, milestone_id=milestone["id"])
    make.ticket(project, milestone_id=other["id"])
    make.ticket(project)

    def found(milestone_id: Any) -> list[int]:
        answer = client.get("/api/tickets", params={"milestone_id": milestone_id})
        return [item["id"] for item in answer.json()]

    assert found(milestone["id"]) == [ticket["id"]]
    assert found(999) == []
    assert len(found("")) == 3


@pytest.mark.parametrize("text", ["null", "0", "-1", "1.5", "abc", "1,2"])
def test_a_bad_milestone_filter_is_refused(client: TestClient, text: str) -> None:
    answer = client.get("/api/tickets", params={"milestone_id": text})

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["milestone_id"]


def test_a_milestone_belongs_to_its_project_open_or_closed(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    project, other = make.project()["id"], make.project()["id"]
    milestone = make.milestone({"id": project})["id"]
    client.patch(f"/api/milestones/{milestone}", json={"status": "closed"})

    with kernel.db.read() as tx:
        belongs_to = tx.services.get(Milestones).belongs_to
        assert belongs_to(tx, milestone, project)
        assert not belongs_to(tx, milestone, other)
        assert not belongs_to(tx, 999, project)


@pytest.mark.parametrize(
    ("query", "step"),
    [
        (MilestoneFilter(), "milestones_due (project_id=?)"),
        (MilestoneFilter(status="open"), "milestones_status_due (project_id=? AND status=?)"),
    ],
)
def test_the_list_is_read_from_an_index_in_order(
    kernel: Kernel, query: MilestoneFilter, step: str
) -> None:
    with kernel.db.read() as tx:
        planner: Any = Planner(tx)
        queries.page(planner, "p", query)

    assert planner.plan == [f"SEARCH m USING INDEX {step}"]
