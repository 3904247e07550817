"""Mentions of comments: what is stored, and who is told."""

import json
from typing import Any

from starlette.testclient import TestClient

from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT, LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

Found = list[tuple[str, Any, str]]


def mentions(client: TestClient, comment: Any) -> Found:
    answer = client.get(f"/api/comments/{comment['id']}/mentions")
    assert answer.status_code == 200, answer.text
    return [
        (
            mention["mention_type"],
            mention["mentioned_profile_id"] or mention["mentioned_ticket_id"],
            mention["mention_text"],
        )
        for mention in answer.json()
    ]


def events(client: TestClient, ticket: Any) -> list[Any]:
    """Oldest first, without those of the ticket itself."""
    found = client.get(f"{ticket_path(ticket)}/events").json()
    return [event for event in reversed(found) if not event["event_type"].startswith("ticket.")]


def story(client: TestClient, ticket: Any) -> list[str]:
    return [
        json.loads(event["payload"]).get("mention_type", event["event_type"])
        for event in events(client, ticket)
    ]


def with_slug(kernel: Kernel, profile: Any, slug: str, plugin_id: str | None = None) -> None:
    with kernel.db.write() as tx:
        sql = "UPDATE profiles SET slug = ?, plugin_id = ? WHERE id = ?"
        tx.execute(sql, (slug, plugin_id, profile["id"]))


def test_mentions_are_rows_in_the_order_of_their_kinds(client: TestClient, make: Factory) -> None:
    bob, eve = make.profile(name="Bob B."), make.profile(name="eve")
    project = make.project()
    ticket, other = make.ticket(project), make.ticket(project)

    comment = make.comment(
        ticket, body=f"#{other['ticket_number']} @eve @[whoever]({bob['id']}) @[x](nobody) @none #9"
    )

    assert mentions(client, comment) == [
        ("profile", bob["id"], "@Bob B."),
        ("profile", eve["id"], "@eve"),
        ("ticket", other["id"], f"#{other['ticket_number']}"),
    ]
    first = client.get(f"/api/comments/{comment['id']}/mentions").json()[0]
    assert first == {
        "id": first["id"],
        "comment_id": comment["id"],
        "mention_type": "profile",
        "mentioned_profile_id": bob["id"],
        "mentioned_ticket_id": None,
        "mention_text": "@Bob B.",
        "created_at": comment["created_at"],
    }


def test_a_profile_is_mentioned_once_however_it_is_written(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    bob = make.profile(name="bob")
    with_slug(kernel, bob, "bobby")

    comment = make.comment(
        make.ticket(make.project()), body=f"@bob @bobby @[a]({bob['id']}) @[b](bobby)"
    )

    assert mentions(client, comment) == [("profile", bob["id"], "@bob")]


def test_names_are_those_of_active_profiles_and_exact(client: TestClient, make: Factory) -> None:
    gone, bob = make.profile(name="gone"), make.profile(name="bob")
    client.delete(f"/api/profiles/{gone['id']}")
    for _ in range(2):
        make.profile(name="twin")

    comment = make.comment(make.ticket(make.project()), body="@gone @Bob @bob-x @twin @bob")

    assert mentions(client, comment) == [("profile", bob["id"], "@bob")]


def test_an_id_finds_inactive_profiles_too(client: TestClient, make: Factory) -> None:
    gone = make.profile(name="gone")
    client.delete(f"/api/profiles/{gone['id']}")

    comment = make.comment(make.ticket(make.project()), body=f"@[x]({gone['id']})")

    assert mentions(client, comment) == [("profile", gone["id"], "@gone")]


def test_slugs_find_profiles_and_names_come_first(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    coder, packaged, named = (make.profile(name=name) for name in ("C", "P", "reviewer"))
    with_slug(kernel, packaged, "coder", "some-plugin")
    with_slug(kernel, coder, "coder")
    with_slug(kernel, packaged, "reviewer", "some-plugin")

    comment = make.comment(make.ticket(make.project()), body="@coder @[x](reviewer) @reviewer")

    assert mentions(client, comment) == [
        ("profile", packaged["id"], "@P"),
        ("profile", coder["id"], "@coder"),
        ("profile", named["id"], "@reviewer"),
    ]


def test_tickets_are_those_of_the_same_project(client: TestClient, make: Factory) -> None:
    ticket = make.ticket(make.project())
    elsewhere = make.project()
    for _ in range(3):
        make.ticket(elsewhere)

    comment = make.comment(ticket, body="#2 #3 #1")

    assert mentions(client, comment) == [("ticket", ticket["id"], "#1")]


def test_the_events_of_a_comment_come_in_order(client: TestClient, make: Factory) -> None:
    bob, eve = make.profile(name="bob"), make.profile(name="eve")
    project = make.project()
    ticket, other = make.ticket(project), make.ticket(project)
    body = f"#2 #1 @eve @[b]({bob['id']})"

    comment = make.comment(ticket, body=body, kombuse_session_id="chat-x")

    to_bob, to_eve, to_other, to_self, added = events(client, ticket)
    told = [json.loads(event["payload"]) for event in (to_bob, to_eve, to_other, to_self)]
    assert told == [
        {
            "mention_type": "profile",
            "mentioned_profile_id": profile["id"],
            "mention_text": f"@{profile['name']}",
            "comment_body": body,
        }
        for profile in (bob, eve)
    ] + [
        {
            "mention_type": "ticket",
            "mentioned_ticket_id": mentioned["id"],
            "mentioned_ticket_project_id": project["id"],
            "mentioned_ticket_number": mentioned["ticket_number"],
            "mention_text": f"#{mentioned['ticket_number']}",
            "comment_body": body,
        }
        for mentioned in (other, ticket)
    ]
    assert added["event_type"] == "comment.added"
    (cross,) = events(client, other)
    assert to_other["id"] < cross["id"] < to_self["id"]
    assert json.loads(cross["payload"]) == {
        "mention_type": "ticket_cross_reference",
        "source_ticket_id": ticket["id"],
        "source_ticket_project_id": project["id"],
        "source_ticket_number": 1,
        "source_comment_id": comment["id"],
        "mention_text": "#1",
    }
    assert {
        (event["comment_id"], event["kombuse_session_id"], event["actor_id"], event["actor_type"])
        for event in (to_bob, to_eve, to_other, cross, to_self, added)
    } == {(comment["id"], "chat-x", LOCAL_USER, "user")}


def test_a_pair_of_tickets_is_cross_referenced_once_for_all_time(
    client: TestClient, make: Factory
) -> None:
    project = make.project()
    ticket, other = make.ticket(project), make.ticket(project)
    first = make.comment(ticket, body="#2 #1")
    make.comment(ticket, body="#2 again")
    client.delete(f"/api/comments/{first['id']}")
    make.comment(ticket, body="and #2 again")

    assert story(client, other) == ["ticket_cross_reference"]
    make.comment(other, body="#1 too")
    assert story(client, ticket).count("ticket_cross_reference") == 1


def test_an_edit_tells_only_newly_mentioned_tickets(client: TestClient, make: Factory) -> None:
    bob = make.profile(name="bob")
    project = make.project()
    ticket, second, third = (make.ticket(project) for _ in range(3))
    comment = make.comment(ticket, body="#2")
    before = len(story(client, ticket))

    client.patch(f"/api/comments/{comment['id']}", json={"body": "@bob #1 #2 #3"})

    assert mentions(client, comment) == [
        ("profile", bob["id"], "@bob"),
        ("ticket", ticket["id"], "#1"),
        ("ticket", second["id"], "#2"),
        ("ticket", third["id"], "#3"),
    ]
    assert story(client, ticket)[before:] == ["comment.edited"]
    assert story(client, second) == ["ticket_cross_reference"]
    assert story(client, third) == ["ticket_cross_reference"]
    client.patch(f"/api/comments/{comment['id']}", json={"body": "nothing"})
    assert mentions(client, comment) == []


def test_what_only_looks_like_a_mention_tells_nobody(client: TestClient, make: Factory) -> None:
    make.profile(name="bob")
    project = make.project()
    ticket, other = make.ticket(project), make.ticket(project)
    body = "`@bob`\n```\n#2\n```\na@bob.com http://x/#2 [t](https://x/@bob) &#2;"

    comment = make.comment(ticket, body=body)

    assert mentions(client, comment) == []
    assert story(client, ticket) == ["comment.added"]
    assert story(client, other) == []


def test_mentions_go_with_the_ticket_that_they_name(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    project = make.project()
    ticket, other = make.ticket(project), make.ticket(project)
    comment = make.comment(ticket, body="#2")

    client.delete(ticket_path(other))

    assert mentions(client, comment) == []
    with kernel.db.read() as tx:
        assert tx.value("SELECT count(*) FROM cross_references") == 0


def test_an_author_may_mention_itself(client: TestClient, make: Factory) -> None:
    comment = make.comment(
        make.ticket(make.project()), author_id=ANONYMOUS_AGENT, body=f"@[me]({ANONYMOUS_AGENT})"
    )

    assert mentions(client, comment) == [("profile", ANONYMOUS_AGENT, "@Anonymous Agent")]


def test_a_refused_comment_leaves_no_mention(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    ticket = make.ticket(make.project())
    body = {"author_id": LOCAL_USER, "body": "#1 @[me](user-1)", "parent_id": 9}

    assert client.post(f"{ticket_path(ticket)}/comments", json=body).status_code == 422

    assert story(client, ticket) == []
    with kernel.db.read() as tx:
        assert tx.value("SELECT count(*) FROM mentions") == 0
