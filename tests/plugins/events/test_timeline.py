"""The timeline of a ticket: comments and events as one story."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner

from kombuse_plugins.events import queries
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


def timeline(client: TestClient, ticket: Any) -> Any:
    answer = client.get(f"{ticket_path(ticket)}/timeline")
    assert answer.status_code == 200, answer.text
    return answer.json()


def story(timeline: Any) -> list[str]:
    return [
        item["data"]["body"] if item["type"] == "comment" else item["data"]["event_type"]
        for item in timeline["items"]
    ]


def test_the_story_is_told_in_order(client: TestClient, make: Factory) -> None:
    ticket = make.ticket(make.project())
    make.comment(ticket, body="one")
    client.patch(ticket_path(ticket), json={"status": "closed"})
    make.comment(ticket, body="two")

    found = timeline(client, ticket)

    assert found["total"] == 6
    assert sorted(story(found)) == sorted(
        ["ticket.created", "one", "comment.added", "ticket.closed", "two", "comment.added"]
    )
    stamps = [item["timestamp"] for item in found["items"]]
    assert stamps == sorted(stamps)


def test_at_one_moment_comments_come_before_events_and_both_by_id(
    client: TestClient, make: Factory, kernel: Kernel
) -> None:
    ticket = make.ticket(make.project())
    make.comment(ticket, body="one")
    make.comment(ticket, body="two")
    with kernel.db.write() as tx:
        moment = "2026-01-01T00:00:00.000Z"
        tx.execute("UPDATE events SET created_at = ?", (moment,))
        tx.execute("UPDATE comments SET created_at = ?", (moment,))

    assert story(timeline(client, ticket)) == [
        "one",
        "two",
        "ticket.created",
        "comment.added",
        "comment.added",
    ]


def test_items_are_the_comment_and_the_event_of_the_api(client: TestClient, make: Factory) -> None:
    ticket = make.ticket(make.project())
    comment = make.comment(ticket)

    items = timeline(client, ticket)["items"]

    (shown,) = [item for item in items if item["type"] == "comment"]
    assert shown["data"] == client.get(f"/api/comments/{comment['id']}").json()
    assert shown["timestamp"] == comment["created_at"]
    events = [item["data"] for item in items if item["type"] == "event"]
    assert events == client.get(f"{ticket_path(ticket)}/events").json()[::-1]
    assert {event["actor"]["id"] for event in events} == {LOCAL_USER}


def test_no_comment_is_lost_after_the_hundredth(client: TestClient, make: Factory) -> None:
    ticket = make.ticket(make.project())
    for number in range(130):
        make.comment(ticket, body=f"c{number}")

    found = timeline(client, ticket)

    assert found["total"] == len(found["items"]) == 261
    comments = [item["data"]["body"] for item in found["items"] if item["type"] == "comment"]
    assert comments == [f"c{number}" for number in range(130)]


def test_other_tickets_do_not_show(client: TestClient, make: Factory) -> None:
    project = make.project()
    ticket, other = make.ticket(project), make.ticket(project)
    make.comment(other)

    assert story(timeline(client, ticket)) == ["ticket.created"]


def test_text_that_looks_like_json_stays_text(client: TestClient, make: Factory) -> None:
    ticket = make.ticket(make.project())
    body = '"},{"type":"event" }}}\\ \n\u2028 日本 🎉'
    make.comment(ticket, body=body)

    assert body in story(timeline(client, ticket))


def test_the_timeline_reads_only_the_rows_of_its_ticket(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        planner = Planner(tx)
        queries.timeline(planner, 1)

    rows = [step for step in planner.plan if step.split()[:2] in (["SEARCH", "e"], ["SEARCH", "c"])]
    assert len(rows) == 2
    assert all("(ticket_id=?)" in row for row in rows)
    assert not [step for step in planner.plan if step.split()[:2] in (["SCAN", "e"], ["SCAN", "c"])]


class TestWithoutComments:
    @pytest.fixture
    def kombuse_config(self) -> dict[str, Any]:
        return {"disabled_plugins": ["comments"]}

    def test_the_timeline_has_the_events_alone(self, client: TestClient, make: Factory) -> None:
        ticket = make.ticket(make.project())

        assert story(timeline(client, ticket)) == ["ticket.created"]

    def test_a_comment_of_an_event_cannot_be_named(self, client: TestClient) -> None:
        body = {"event_type": "x", "actor_type": "user", "payload": {}, "comment_id": 1}

        assert client.post("/api/events", json=body).status_code == 422


class TestWithoutTickets:
    @pytest.fixture
    def kombuse_config(self) -> dict[str, Any]:
        return {"disabled_plugins": ["tickets"]}

    def test_events_have_no_ticket_number(self, client: TestClient) -> None:
        body = {"event_type": "x", "actor_type": "user", "payload": {}}

        made = client.post("/api/events", json=body)

        assert made.status_code == 201
        assert made.json()["ticket_number"] is None

    def test_there_are_no_timelines(self, client: TestClient, make: Factory) -> None:
        path = f"/api/projects/{make.project()['id']}/tickets/by-number/1/timeline"

        assert client.get(path).json() == {"error": "Ticket not found"}
