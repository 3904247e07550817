"""Comments over REST."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner

from kombuse_plugins.comments import queries
from kombuse_plugins.comments.schemas import CommentFilter
from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT, LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

LONG_AGO = "2020-01-01T00:00:00.000Z"


def comments_path(ticket: Any) -> str:
    return f"{ticket_path(ticket)}/comments"


def listed(client: TestClient, ticket: Any, **query: Any) -> list[int]:
    answer = client.get(comments_path(ticket), params=query)
    assert answer.status_code == 200, answer.text
    return [comment["id"] for comment in answer.json()]


def comment_events(client: TestClient, ticket: Any) -> list[Any]:
    """Oldest first."""
    events = client.get(f"{ticket_path(ticket)}/events").json()
    return [event for event in reversed(events) if event["event_type"].startswith("comment.")]


def backdate(kernel: Kernel) -> None:
    with kernel.db.write() as tx:
        tx.execute("UPDATE comments SET created_at = :at, updated_at = :at", {"at": LONG_AGO})
        tx.execute("UPDATE tickets SET updated_at = :at, last_activity_at = :at", {"at": LONG_AGO})
        tx.execute("UPDATE ticket_views SET last_viewed_at = ?", (LONG_AGO,))


def is_unread(client: TestClient, viewer_id: str) -> bool:
    (ticket,) = client.get("/api/tickets", params={"viewer_id": viewer_id}).json()
    return bool(ticket["has_unread"])


def test_a_new_comment_carries_its_author(client: TestClient, make: Factory) -> None:
    ann = make.profile(name="Ann")
    ticket = make.ticket(make.project())
    body = {
        "author_id": ann["id"],
        "body": " ",
        "kombuse_session_id": "chat-x",
        "external_source": "gh",
        "external_id": "7",
        "is_edited": True,
    }

    made = client.post(comments_path(ticket), json=body)

    assert made.status_code == 201
    comment = made.json()
    assert comment == {
        "id": comment["id"],
        "ticket_id": ticket["id"],
        "author_id": ann["id"],
        "parent_id": None,
        "kombuse_session_id": "chat-x",
        "body": " ",
        "external_source": "gh",
        "external_id": "7",
        "synced_at": None,
        "is_edited": False,
        "created_at": comment["created_at"],
        "updated_at": comment["created_at"],
        "author": ann,
    }
    assert client.get(f"/api/comments/{comment['id']}").json() == comment
    assert client.get(comments_path(ticket)).json() == [comment]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"author_id": None}, "author_id"),
        ({"author_id": ""}, "author_id"),
        ({"body": ""}, "body"),
        ({"body": None}, "body"),
        ({"body": 5}, "body"),
        ({"parent_id": "abc"}, "parent_id"),
        ({"parent_id": 0}, "parent_id"),
        ({"parent_id": None}, "parent_id"),
        ({"kombuse_session_id": 5}, "kombuse_session_id"),
        ({"external_id": None}, "external_id"),
    ],
)
def test_bad_fields_are_refused(
    client: TestClient, make: Factory, body: dict[str, Any], field: str
) -> None:
    ticket = make.ticket(make.project())

    answer = client.post(comments_path(ticket), json={"author_id": LOCAL_USER, "body": "b"} | body)

    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["error"]] == [[field]]


@pytest.mark.parametrize("body", ["a\0b", "日本語 🎉", "x" * 1_000_000, "'\"\\{}[]\n\r\t\x1b"])
def test_any_text_comes_back_as_it_was(client: TestClient, make: Factory, body: str) -> None:
    comment = make.comment(make.ticket(make.project()), body=body)

    assert client.get(f"/api/comments/{comment['id']}").json()["body"] == body


def test_what_a_comment_refers_to_has_to_exist(client: TestClient, make: Factory) -> None:
    project = make.project()
    ticket = make.ticket(project)
    elsewhere = make.comment(make.ticket(project))

    def refused(**values: Any) -> str:
        body = {"author_id": LOCAL_USER, "body": "b"} | values
        answer = client.post(comments_path(ticket), json=body)
        assert answer.status_code == 422
        return str(answer.json()["error"])

    assert refused(author_id="nobody") == "author_id does not reference an existing profile"
    assert refused(parent_id=999) == "parent_id does not reference an existing comment"
    assert refused(parent_id=elsewhere["id"]) == (
        "parent_id does not reference a comment of this ticket"
    )
    assert listed(client, ticket) == []
    assert comment_events(client, ticket) == []


def test_comments_of_what_is_no_ticket_are_answered_as_such(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    tickets = f"/api/projects/{project['id']}/tickets/by-number"
    body = {"author_id": LOCAL_USER, "body": "b"}

    for answer in (
        client.get(f"{tickets}/x/comments"),
        client.post(f"{tickets}/0/comments", json=body),
    ):
        assert (answer.status_code, answer.json()) == (400, {"error": "Invalid ticket number"})
    for answer in (
        client.get(f"{tickets}/9/comments"),
        client.post(f"{tickets}/9/comments", json=body),
    ):
        assert (answer.status_code, answer.json()) == (404, {"error": "Ticket not found"})
    assert client.get("/api/projects/nope/tickets/by-number/1/comments").status_code == 404


@pytest.mark.parametrize(
    ("method", "suffix"), [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/mentions")]
)
def test_what_is_no_comment_is_answered_as_such(
    client: TestClient, method: str, suffix: str
) -> None:
    body: dict[str, str] | None = {} if method == "PATCH" else None

    bad = client.request(method, f"/api/comments/abc{suffix}", json=body)
    unknown = client.request(method, f"/api/comments/99{suffix}", json=body)

    assert (bad.status_code, bad.json()) == (400, {"error": "Invalid comment ID"})
    assert (unknown.status_code, unknown.json()) == (404, {"error": "Comment not found"})


def test_threads_and_authors_filter_the_list(client: TestClient, make: Factory) -> None:
    ann = make.profile()["id"]
    ticket = make.ticket(make.project())
    top = make.comment(ticket)["id"]
    reply = make.comment(ticket, parent_id=top)["id"]
    nested = make.comment(ticket, parent_id=str(reply), author_id=ann)["id"]
    other = make.comment(ticket, author_id=ann)["id"]

    assert listed(client, ticket) == [top, reply, nested, other]
    assert listed(client, ticket, parent_id="null") == [top, other]
    assert listed(client, ticket, parent_id="") == [top, reply, nested, other]
    assert listed(client, ticket, parent_id=top) == [reply]
    assert listed(client, ticket, parent_id=999) == []
    assert listed(client, ticket, author_id=ann) == [nested, other]
    assert listed(client, ticket, author_id=ann, parent_id="null") == [other]
    assert listed(client, ticket, author_id=ann, parent_id=reply) == [nested]
    assert listed(client, ticket, author_id="") == [top, reply, nested, other]
    assert listed(client, ticket, author_id="nobody") == []
    assert listed(client, ticket, limit=2, offset=1) == [reply, nested]
    assert listed(client, ticket, offset=9) == []


@pytest.mark.parametrize(
    "query", [{"parent_id": "abc"}, {"parent_id": "0"}, {"parent_id": "-1"}, {"limit": "0"}]
)
def test_bad_filters_are_refused(client: TestClient, make: Factory, query: dict[str, str]) -> None:
    ticket = make.ticket(make.project())

    assert client.get(comments_path(ticket), params=query).status_code == 400


def test_a_comment_is_activity_that_its_author_has_seen(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    ann, bob = make.profile()["id"], make.profile()["id"]
    ticket = make.ticket(make.project(), author_id=ann)
    client.post(f"{ticket_path(ticket)}/view", json={"profile_id": bob})
    backdate(kernel)

    comment = make.comment(ticket, author_id=bob)

    after = client.get(ticket_path(ticket)).json()
    assert after["last_activity_at"] == comment["created_at"]
    assert after["updated_at"] == LONG_AGO
    assert is_unread(client, ann)
    assert not is_unread(client, bob)


def test_a_new_comment_is_told(client: TestClient, make: Factory) -> None:
    ticket = make.ticket(make.project())

    comment = make.comment(ticket, author_id=ANONYMOUS_AGENT, kombuse_session_id="chat-x")

    (event,) = comment_events(client, ticket)
    assert event["event_type"] == "comment.added"
    assert (event["actor_id"], event["actor_type"]) == (ANONYMOUS_AGENT, "agent")
    assert (event["comment_id"], event["kombuse_session_id"]) == (comment["id"], "chat-x")
    assert json.loads(event["payload"]) == {
        "comment_id": comment["id"],
        "ticket_id": ticket["id"],
        "author_type": "agent",
        "author_id": ANONYMOUS_AGENT,
    }


def test_an_edit_is_marked_and_told(client: TestClient, kernel: Kernel, make: Factory) -> None:
    ann = make.profile()["id"]
    ticket = make.ticket(make.project())
    comment = make.comment(ticket, author_id=ann, kombuse_session_id="chat-x")
    backdate(kernel)

    answer = client.patch(f"/api/comments/{comment['id']}", json={"body": "new", "author_id": "x"})

    assert answer.status_code == 200
    edited = answer.json()
    assert edited == comment | {
        "body": "new",
        "is_edited": True,
        "created_at": LONG_AGO,
        "updated_at": edited["updated_at"],
    }
    assert edited["updated_at"] > LONG_AGO
    after = client.get(ticket_path(ticket)).json()
    assert after["last_activity_at"] == edited["updated_at"]
    assert is_unread(client, LOCAL_USER)
    assert not is_unread(client, ann)
    event = comment_events(client, ticket)[-1]
    assert event["event_type"] == "comment.edited"
    assert (event["actor_id"], event["actor_type"]) == (ann, "user")
    assert (event["comment_id"], event["kombuse_session_id"]) == (comment["id"], "chat-x")
    assert json.loads(event["payload"]) == {
        "comment_id": comment["id"],
        "author_type": "user",
        "author_id": ann,
    }


def test_the_same_text_and_no_text_change_nothing(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    ticket = make.ticket(make.project())
    comment = make.comment(ticket, body="@[me](user-1)")
    mentions = client.get(f"/api/comments/{comment['id']}/mentions").json()
    backdate(kernel)
    path = f"/api/comments/{comment['id']}"
    old = comment | {"created_at": LONG_AGO, "updated_at": LONG_AGO}

    assert client.patch(path, json={}).json() == old
    assert client.patch(path, json={"body": comment["body"]}).json() == old

    assert client.get(f"{path}/mentions").json() == mentions
    assert client.get(ticket_path(ticket)).json()["last_activity_at"] == LONG_AGO
    assert len(comment_events(client, ticket)) == 1


@pytest.mark.parametrize("body", [{"body": ""}, {"body": None}, {"body": 1}])
def test_a_bad_edit_is_refused(client: TestClient, make: Factory, body: dict[str, Any]) -> None:
    comment = make.comment(make.ticket(make.project()))

    assert client.patch(f"/api/comments/{comment['id']}", json=body).status_code == 400
    assert client.get(f"/api/comments/{comment['id']}").json() == comment


def test_replies_and_events_outlive_a_deleted_comment(client: TestClient, make: Factory) -> None:
    ticket = make.ticket(make.project())
    top = make.comment(ticket, kombuse_session_id="chat-x")
    reply = make.comment(ticket, parent_id=top["id"])

    assert client.delete(f"/api/comments/{top['id']}").status_code == 204

    assert client.get(f"/api/comments/{top['id']}").status_code == 404
    assert client.get(f"/api/comments/{reply['id']}").json() == reply | {"parent_id": None}
    added, reply_added, deleted = comment_events(client, ticket)
    assert added["comment_id"] is None
    assert reply_added["comment_id"] == reply["id"]
    assert deleted["event_type"] == "comment.deleted"
    assert (deleted["actor_id"], deleted["comment_id"]) == (LOCAL_USER, None)
    assert (deleted["ticket_id"], deleted["kombuse_session_id"]) == (ticket["id"], "chat-x")
    assert json.loads(deleted["payload"]) == {
        "comment_id": top["id"],
        "ticket_id": ticket["id"],
    }


def test_a_deleted_comment_is_no_activity(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    ticket = make.ticket(make.project())
    comment = make.comment(ticket)
    backdate(kernel)

    client.delete(f"/api/comments/{comment['id']}")

    assert client.get(ticket_path(ticket)).json()["last_activity_at"] == LONG_AGO


def test_ids_are_not_used_again(client: TestClient, make: Factory) -> None:
    ticket = make.ticket(make.project())
    first = make.comment(ticket)["id"]
    client.delete(f"/api/comments/{first}")

    assert make.comment(ticket)["id"] > first


def test_a_ticket_takes_its_comments_along(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    ticket = make.ticket(make.project())
    comment = make.comment(ticket, body="#1 @[me](user-1)")
    make.comment(ticket, parent_id=comment["id"])

    client.delete(ticket_path(ticket))

    assert client.get(f"/api/comments/{comment['id']}").status_code == 404
    with kernel.db.read() as tx:
        assert tx.value("SELECT count(*) FROM mentions") == 0
        assert tx.value("SELECT count(*) FROM events WHERE comment_id IS NOT NULL") == 0


@pytest.mark.parametrize(
    "given", [{}, {"parent_id": "null"}, {"parent_id": "5"}, {"author_id": "a"}]
)
def test_every_filter_reads_the_index_in_order(kernel: Kernel, given: dict[str, str]) -> None:
    query = CommentFilter.model_validate(given)
    with kernel.db.read() as tx:
        planner: Any = Planner(tx)
        queries.page(planner, 1, query)

    assert planner.plan[0] == "SEARCH c USING INDEX comments_ticket (ticket_id=?)"
    assert not [step for step in planner.plan if "TEMP" in step or step.startswith("SCAN")]
