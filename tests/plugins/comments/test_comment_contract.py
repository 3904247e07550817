"""What comments give to other plugins and to agents."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.contracts import Comments, Tickets
from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT, LOCAL_USER
from kombuse_sdk.errors import Forbidden, NotFound, Unprocessable
from kombuse_sdk.mcp import Caller, Tool, ToolResult
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel

CALLER = Caller(profile_id=ANONYMOUS_AGENT, actor_type="agent", is_anonymous=True)


def tool(kernel: Kernel, name: str) -> Tool:
    (found,) = (t for _, t in kernel.offers("kombuse_mcp_tools") if t.name == name)
    assert isinstance(found, Tool)
    return found


def call(kernel: Kernel, name: str, **arguments: Any) -> Any:
    """The answer of a tool as a JSON value."""
    found = tool(kernel, name)
    with kernel.db.write() as tx:
        answer = found.run(tx, CALLER, found.input.model_validate(arguments))
        if isinstance(answer, ToolResult):
            answer = answer.data
        return answer.load() if hasattr(answer, "load") else answer


def digest(kernel: Kernel, ticket: Any, **options: Any) -> tuple[list[int], int]:
    given = {"author_ids": None, "actor_types": None, "limit": 10, "offset": 0} | options
    with kernel.db.read() as tx:
        rows, total = tx.services.get(Comments).page(tx, ticket["id"], **given)
    return [row["id"] for row in rows], total


def matching(kernel: Kernel, match: str) -> list[int]:
    with kernel.db.read() as tx:
        sql = tx.services.get(Comments).matching_sql()
        return tx.values(sql, {"match": match})


def test_a_plugin_may_write_a_comment(client: TestClient, kernel: Kernel, make: Factory) -> None:
    ticket = make.ticket(make.project())

    with kernel.db.write() as tx:
        ref = tx.services.get(Tickets).by_id(tx, ticket["id"])
        assert ref is not None
        comment_id = tx.services.get(Comments).add(
            tx, ref, author_id=ANONYMOUS_AGENT, body="#1", kombuse_session_id="chat-x"
        )
        assert tx.services.get(Comments).ticket_id(tx, comment_id) == ticket["id"]
        assert tx.services.get(Comments).ticket_id(tx, 999) is None

    comment = client.get(f"/api/comments/{comment_id}").json()
    assert (comment["body"], comment["kombuse_session_id"]) == ("#1", "chat-x")


def test_activity_is_told_per_author_the_busiest_first(kernel: Kernel, make: Factory) -> None:
    ann = make.profile()["id"]
    ticket = make.ticket(make.project())
    first, *_, last = [make.comment(ticket, author_id=ann) for _ in range(3)]
    mine = make.comment(ticket)

    with kernel.db.read() as tx:
        rows = tx.services.get(Comments).activity(tx, ticket["id"])

    assert [dict(row) for row in rows] == [
        {
            "author_id": author_id,
            "comment_count": count,
            "first_commented_at": start["created_at"],
            "last_commented_at": end["created_at"],
        }
        for author_id, count, start, end in ((ann, 3, first, last), (LOCAL_USER, 1, mine, mine))
    ]


def test_a_page_is_newest_first_with_the_number_of_all(kernel: Kernel, make: Factory) -> None:
    robot, bob = make.profile(type="agent")["id"], make.profile()["id"]
    ticket = make.ticket(make.project())
    a, b, c, d = (
        make.comment(ticket, author_id=author_id)["id"]
        for author_id in (LOCAL_USER, robot, bob, ANONYMOUS_AGENT)
    )

    assert digest(kernel, ticket) == ([d, c, b, a], 4)
    assert digest(kernel, ticket, limit=2, offset=1) == ([c, b], 4)
    assert digest(kernel, ticket, author_ids=[bob, robot]) == ([c, b], 2)
    assert digest(kernel, ticket, author_ids=[]) == ([], 0)
    assert digest(kernel, ticket, actor_types=["agent"]) == ([d, b], 2)
    assert digest(kernel, ticket, agent_ids=[robot]) == ([c, b, a], 3)
    assert digest(kernel, ticket, actor_types=["agent"], agent_ids=[robot]) == ([b], 1)
    with kernel.db.read() as tx:
        options = {"author_ids": [robot], "actor_types": None, "limit": 1, "offset": 0}
        ((row,), _) = tx.services.get(Comments).page(tx, ticket["id"], **options)  # type: ignore[arg-type]
    assert (row["actor_type"], row["author_id"], row["ticket_id"]) == ("agent", robot, ticket["id"])


def test_the_index_follows_every_change_of_a_text(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    project = make.project()
    ticket, other = make.ticket(project), make.ticket(project)
    comment = make.comment(ticket, body="running résumé")
    make.comment(other, body="zebra")

    assert matching(kernel, "run AND resume") == [ticket["id"]]
    client.patch(f"/api/comments/{comment['id']}", json={"body": "sleeping"})
    assert matching(kernel, "run") == []
    assert matching(kernel, "sleep*") == [ticket["id"]]
    client.delete(f"/api/comments/{comment['id']}")
    assert matching(kernel, "sleep*") == []
    assert matching(kernel, "z*") == [other["id"]]
    client.delete(f"/api/projects/{project['id']}")
    assert matching(kernel, "z*") == []
    with kernel.db.write() as tx:
        check = "INSERT INTO comments_fts (comments_fts, rank) VALUES ('integrity-check', 1)"
        tx.execute(check)


def test_only_a_changed_text_is_indexed_anew(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    ticket = make.ticket(make.project())
    top = make.comment(ticket)
    make.comment(ticket, parent_id=top["id"])
    with kernel.db.write() as tx:
        tx.execute("INSERT INTO comments_fts (comments_fts) VALUES ('delete-all')")
        tx.execute("UPDATE comments SET is_edited = 1, body = body")

        assert tx.value("SELECT count(*) FROM comments_fts WHERE comments_fts MATCH 'c*'") == 0


def test_the_best_comment_of_each_ticket_gives_the_snippet(kernel: Kernel, make: Factory) -> None:
    project = make.project()
    one, two, three = (make.ticket(project) for _ in range(3))
    make.comment(one, body="kiwi " + "and many other words of no interest at all " * 9)
    make.comment(one, body="kiwi kiwi")
    make.comment(two, body="a kiwi pie")
    make.comment(three, body="kiwi")
    make.comment(three, body="apple")

    with kernel.db.read() as tx:
        comments = tx.services.get(Comments)
        given = "SELECT value FROM json_each(:ids)"
        params = {"match": "kiwi", "ids": json.dumps([one["id"], two["id"], 99])}
        among = tx.values(comments.matching_among_sql(given), params)
        snippets = {
            row["ticket_id"]: row["snippet"] for row in tx.all(comments.snippets_sql(given), params)
        }

    assert sorted(among) == [one["id"], one["id"], two["id"]]
    assert snippets == {one["id"]: "«kiwi» «kiwi»", two["id"]: "a «kiwi» pie"}


def test_the_timeline_shows_comments_as_the_list_does(client: TestClient, make: Factory) -> None:
    ticket = make.ticket(make.project())
    comment = make.comment(ticket)

    items = client.get(f"{ticket_path(ticket)}/timeline").json()["items"]

    (item,) = (item for item in items if item["type"] == "comment")
    assert item == {"type": "comment", "timestamp": comment["created_at"], "data": comment}


def test_an_agent_comments_and_replies(client: TestClient, kernel: Kernel, make: Factory) -> None:
    project = make.project()
    ticket = make.ticket(project)

    where = {"project_id": project["slug"], "ticket_number": ticket["ticket_number"]}
    top = call(kernel, "add_comment", **where, body="a", kombuse_session_id="chat-x")
    reply = call(kernel, "add_comment", **where, body="b", parent_id=top["id"])

    assert client.get(f"{ticket_path(ticket)}/comments").json() == [top, reply]
    assert (top["author_id"], top["kombuse_session_id"]) == (ANONYMOUS_AGENT, "chat-x")
    assert reply["parent_id"] == top["id"]


def test_an_agent_is_told_what_it_cannot_comment_on(kernel: Kernel, make: Factory) -> None:
    project = make.project()
    ticket = make.ticket(project)

    for where in ({"project_id": "nope"}, {"project_id": project["id"], "ticket_number": 9}):
        arguments = {"ticket_number": ticket["ticket_number"], "body": "b"} | where
        number, name = arguments["ticket_number"], arguments["project_id"]
        with pytest.raises(NotFound, match=f"Ticket #{number} not found in project {name}"):
            call(kernel, "add_comment", **arguments)
    with pytest.raises(Unprocessable, match="parent_id"):
        call(
            kernel,
            "add_comment",
            project_id=project["id"],
            ticket_number=ticket["ticket_number"],
            body="b",
            parent_id=9,
        )


def test_an_agent_edits_its_own_comments_alone(
    client: TestClient, kernel: Kernel, make: Factory
) -> None:
    ticket = make.ticket(make.project())
    own, other = make.comment(ticket, author_id=ANONYMOUS_AGENT), make.comment(ticket)

    edited = call(kernel, "update_comment", comment_id=own["id"], body="new")

    assert (edited["body"], edited["is_edited"]) == ("new", True)
    with pytest.raises(Forbidden, match="Permission denied: Can only update own comments"):
        call(kernel, "update_comment", comment_id=other["id"], body="new")
    with pytest.raises(NotFound, match="Comment 99 not found"):
        call(kernel, "update_comment", comment_id=99, body="new")
    assert client.get(f"/api/comments/{other['id']}").json() == other


def test_an_agent_reads_one_comment(kernel: Kernel, make: Factory) -> None:
    ann = make.profile(name="Ann")
    comment = make.comment(make.ticket(make.project()), author_id=ann["id"], body="x" * 5000)

    found = call(kernel, "get_ticket_comment", comment_id=str(comment["id"]))

    assert found == {
        "id": comment["id"],
        "ticket_id": comment["ticket_id"],
        "author_id": ann["id"],
        "author_name": "Ann",
        "actor_type": "user",
        "author_kind": "user",
        "author_trusted": True,
        "agent_type": None,
        "parent_id": None,
        "is_edited": False,
        "created_at": comment["created_at"],
        "updated_at": comment["updated_at"],
        "body": comment["body"],
        "body_truncated": False,
    }
    with_images = call(
        kernel, "get_ticket_comment", comment_id=comment["id"], config={"images": True}
    )
    assert with_images == found | {"attachments": []}
    with pytest.raises(NotFound, match="Comment 99 not found"):
        call(kernel, "get_ticket_comment", comment_id=99)
