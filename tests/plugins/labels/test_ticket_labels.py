"""Labels on tickets, and tickets by label."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.contracts import Labels
from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT, LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


def label_events(client: TestClient, ticket: Any) -> list[Any]:
    events = client.get(f"{ticket_path(ticket)}/events").json()
    return [event for event in events if event["event_type"].startswith("label.")]


def found(client: TestClient, label_ids: str, **query: Any) -> list[int]:
    params = {"label_ids": label_ids, "sort_by": "created_at", "sort_order": "asc"} | query
    answer = client.get("/api/tickets", params=params)
    assert answer.status_code == 200, answer.text
    return [ticket["id"] for ticket in answer.json()]


def test_adding_twice_is_one_label_and_one_event(client: TestClient, make: Factory) -> None:
    project = make.project()
    ticket, label = make.ticket(project), make.label(project)
    path = f"{ticket_path(ticket)}/labels/{label['id']}"

    first = client.post(path, json={"added_by_id": LOCAL_USER})
    second = client.post(path, json={"added_by_id": "nobody"})

    assert (first.status_code, first.json()) == (201, {"success": True})
    assert (second.status_code, second.json()) == (201, {"success": True})
    assert client.get(f"{ticket_path(ticket)}/labels").json() == [label]
    (event,) = label_events(client, ticket)
    assert event["event_type"] == "label.added"
    assert (event["actor_id"], event["actor_type"]) == (LOCAL_USER, "user")
    assert event["project_id"] == project["id"]
    assert json.loads(event["payload"]) == {
        "label_id": label["id"],
        "label_name": label["name"],
        "label_slug": label["slug"],
        "label_plugin_id": None,
    }


@pytest.mark.parametrize(
    ("actor_id", "actor_type"),
    [(None, "system"), (LOCAL_USER, "user"), (ANONYMOUS_AGENT, "agent")],
)
def test_the_actor_of_a_label_event_is_who_was_named(
    client: TestClient, make: Factory, actor_id: str | None, actor_type: str
) -> None:
    project = make.project()
    ticket, label = make.ticket(project), make.label(project)
    path = f"{ticket_path(ticket)}/labels/{label['id']}"

    client.post(path, json={"added_by_id": actor_id} if actor_id else {})
    body = {"removed_by_id": actor_id} if actor_id else {}
    assert client.request("DELETE", path, json=body).status_code == 204

    events = label_events(client, ticket)
    assert {event["event_type"] for event in events} == {"label.added", "label.removed"}
    assert {(event["actor_id"], event["actor_type"]) for event in events} == {
        (actor_id, actor_type)
    }
    assert client.get(f"{ticket_path(ticket)}/labels").json() == []


def test_an_unknown_profile_changes_nothing(client: TestClient, make: Factory) -> None:
    project = make.project()
    label, other = make.label(project), make.label(project)
    ticket = make.ticket(project, label_ids=[label["id"]])
    path = f"{ticket_path(ticket)}/labels"

    added = client.post(f"{path}/{other['id']}", json={"added_by_id": "nobody"})
    removed = client.request("DELETE", f"{path}/{label['id']}", json={"removed_by_id": "nobody"})

    assert (added.status_code, removed.status_code) == (422, 422)
    assert added.json() == {"error": "added_by_id does not reference an existing profile"}
    assert removed.json() == {"error": "removed_by_id does not reference an existing profile"}
    assert client.get(path).json() == [label]
    assert label_events(client, ticket) == []


def test_labels_that_are_not_the_projects_are_refused(client: TestClient, make: Factory) -> None:
    ticket, foreign = make.ticket(make.project()), make.label(make.project())
    path = f"{ticket_path(ticket)}/labels"

    unknown = client.post(f"{path}/999", json={})
    other = client.post(f"{path}/{foreign['id']}", json={})

    assert (unknown.status_code, unknown.json()) == (404, {"error": "Label not found"})
    assert other.status_code == 400
    assert other.json() == {"error": "Label is invalid for this project"}
    assert client.get(path).json() == []


def test_a_label_that_is_not_on_the_ticket_cannot_be_removed(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    ticket, label = make.ticket(project), make.label(project)

    for label_id in (label["id"], 999, -1):
        answer = client.delete(f"{ticket_path(ticket)}/labels/{label_id}")
        assert answer.status_code == 404
        assert answer.json() == {"error": "Label not attached to ticket"}


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_bad_numbers_and_unknown_tickets_are_answered_as_such(
    client: TestClient, make: Factory, method: str
) -> None:
    project = make.project()
    label = make.label(project)
    tickets = f"/api/projects/{project['id']}/tickets/by-number"

    for path in (f"{tickets}/x/labels/1", f"{tickets}/0/labels/1", f"{tickets}/1/labels/1x"):
        answer = client.request(method, path)
        assert answer.status_code == 400
        assert answer.json() == {"error": "Invalid ticket number or label ID"}
    answer = client.request(method, f"{tickets}/9/labels/{label['id']}")
    assert (answer.status_code, answer.json()) == (404, {"error": "Ticket not found"})


@pytest.mark.parametrize("value", [5, None, "", ["a"], {}])
def test_a_profile_id_is_a_text(client: TestClient, make: Factory, value: Any) -> None:
    project = make.project()
    ticket, label = make.ticket(project), make.label(project)

    answer = client.post(f"{ticket_path(ticket)}/labels/{label['id']}", json={"added_by_id": value})

    assert answer.status_code == 400
    assert client.get(f"{ticket_path(ticket)}/labels").json() == []


def test_tickets_show_their_labels_by_name_disabled_ones_too(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    b, a, z = (make.label(project, name=name) for name in ("b", "a", "Z"))
    a = client.patch(f"/api/labels/{a['id']}", json={"is_enabled": False}).json()
    ticket = make.ticket(project, label_ids=[b["id"], a["id"], z["id"], b["id"]])
    bare = make.ticket(project)

    assert client.get(f"{ticket_path(ticket)}/labels").json() == [z, a, b]
    assert client.get(ticket_path(ticket)).json()["labels"] == [z, a, b]
    by_id = {t["id"]: t["labels"] for t in client.get("/api/tickets").json()}
    assert by_id == {ticket["id"]: [z, a, b], bare["id"]: []}


def test_labels_do_not_count_as_activity(client: TestClient, make: Factory) -> None:
    project = make.project()
    ticket, label = make.ticket(project), make.label(project)

    client.post(f"{ticket_path(ticket)}/labels/{label['id']}")

    after = client.get(ticket_path(ticket)).json()
    assert after["last_activity_at"] == ticket["last_activity_at"]
    assert after["updated_at"] == ticket["updated_at"]


def test_the_filter_finds_tickets_that_carry_all_labels(client: TestClient, make: Factory) -> None:
    project = make.project()
    one, two = (make.label(project)["id"] for _ in range(2))
    both = make.ticket(project, label_ids=[one, two])["id"]
    first = make.ticket(project, label_ids=[one])["id"]
    make.ticket(project)

    assert found(client, f"{one}") == [both, first]
    assert found(client, f"{one}, {two}") == [both]
    assert found(client, f"{two},{one},{two}") == [both]
    assert found(client, f"{one},999") == []
    assert found(client, f"{one}", project_id=project["id"], status="open") == [both, first]
    assert found(client, f"{one}", limit=1, offset=1) == [first]
    assert found(client, f"{two}", status="closed") == []


@pytest.mark.parametrize("text", ["", "1,,2", "a", "0", "-1", "1.5", "1;2", str(2**70)])
def test_a_bad_list_of_labels_is_refused(client: TestClient, text: str) -> None:
    answer = client.get("/api/tickets", params={"label_ids": text})

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"][0] == "label_ids"


def test_the_contract_gives_rows_in_name_order(kernel: Kernel, make: Factory) -> None:
    project = make.project()
    labels = [make.label(project, name=name) for name in ("b", "a")]
    ticket = make.ticket(project, label_ids=[label["id"] for label in labels])

    with kernel.db.read() as tx:
        rows = [dict(row) for row in tx.services.get(Labels).of_ticket(tx, ticket["id"])]

    assert rows == [label | {"is_enabled": 1} for label in reversed(labels)]


def test_a_label_is_found_by_index_not_by_reading_all_tickets(kernel: Kernel) -> None:
    joins = kernel.joins("ticket")
    (condition,) = (item.seek for item in joins.filters if item.param == "label_ids")
    sql = f"EXPLAIN QUERY PLAN SELECT t.id FROM tickets t WHERE {condition}"

    with kernel.db.read() as tx:
        plan = [row["detail"] for row in tx.all(sql, {"label_ids": "[1]"})]

    assert "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)" in plan
    assert not [step for step in plan if step in ("SCAN t", "SCAN tl")]


def test_a_label_on_many_tickets_is_asked_for_ticket_by_ticket(kernel: Kernel) -> None:
    joins = kernel.joins("ticket")
    (item,) = (item for item in joins.filters if item.param == "label_ids")
    sql = f"EXPLAIN QUERY PLAN SELECT t.id FROM tickets t WHERE {item.sql}"

    with kernel.db.read() as tx:
        plan = [row["detail"] for row in tx.all(sql, {"label_ids": "[1]"})]
        assert tx.value(f"SELECT {item.at_most}", {"label_ids": "[1]"}) is None

    assert "SEARCH other USING PRIMARY KEY (ticket_id=? AND label_id=?)" in plan


def test_the_labels_of_a_ticket_are_read_from_its_rows_alone(kernel: Kernel) -> None:
    joins = kernel.joins("ticket")
    (column,) = (column.sql for column in joins.columns if column.name == "labels")
    sql = f"EXPLAIN QUERY PLAN SELECT {column} FROM tickets t WHERE t.id = 1"

    with kernel.db.read() as tx:
        plan = [row["detail"] for row in tx.all(sql)]

    assert "SEARCH ticket_label_lists USING INTEGER PRIMARY KEY (rowid=?)" in plan


def test_the_labels_in_lists_of_tickets_follow_every_change(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    project = make.project()
    ids = [make.label(project, name=name)["id"] for name in ("b", "a", "c")]
    ticket = make.ticket(project, label_ids=ids)
    changes: list[Callable[[], Any]] = [
        lambda: client.patch(f"/api/labels/{ids[0]}", json={"name": "z", "color": "#000000"}),
        lambda: client.patch(f"/api/labels/{ids[1]}", json={"is_enabled": False}),
        lambda: client.delete(f"{ticket_path(ticket)}/labels/{ids[1]}"),
        lambda: client.delete(f"/api/labels/{ids[2]}"),
        lambda: client.delete(f"/api/labels/{ids[0]}"),
    ]

    for change in changes:
        assert change().status_code < 300
        (listed,) = client.get("/api/tickets", params={"project_id": project["id"]}).json()
        with kernel.db.read() as tx:
            joined = [row["name"] for row in tx.services.get(Labels).of_ticket(tx, ticket["id"])]
        assert [label["name"] for label in listed["labels"]] == joined
    assert joined == []
