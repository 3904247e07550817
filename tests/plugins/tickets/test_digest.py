"""get_ticket: what the digest of a ticket says, and how it is kept small."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient
from tests.agent_runs import make_agent

from kombuse_plugins.tickets.digest import CAP
from kombuse_plugins.tickets.pruning import shortened
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import CallTool, Factory

Digest = Callable[..., Any]


@pytest.fixture
def ticket(make: Factory, project: Any) -> Any:
    return make.ticket(project, body="b" * 1200)


@pytest.fixture
def digest(call_tool: CallTool, ticket: Any) -> Digest:
    def read(filters: Any = None, **config: Any) -> Any:
        config |= {"comment_filters": filters} if filters else {}
        answer = call_tool(
            "get_ticket", project_id=ticket["project_id"], ticket_number=1, config=config
        )
        assert not answer.is_error, answer.text
        data = answer.data
        assert data["meta"].get("fallback_minimal") or data["meta"]["bytes_used"] == len(
            answer.text.encode()
        )
        return data

    return read


def test_a_digest_says_all_in_a_fixed_order(
    client: TestClient, make: Factory, ticket: Any, digest: Digest, ann: str
) -> None:
    agent = make_agent(client, description="d" * 300, config={"type": "coder"})["id"]
    first = make.comment(ticket, author_id=ann, body="first")
    make.comment(ticket, author_id=agent, body="x" * 500, parent_id=first["id"])

    data = digest()

    assert list(data) == ["ticket", "overview", "comments", "participants", "meta"]
    assert data["ticket"]["body_preview"] == "b" * 984 + "...[truncated]"
    assert data["ticket"]["body_preview_truncated"] is True
    assert data["ticket"]["attachment_counts"] == {"total": 0, "images": 0}
    assert "body" not in data["ticket"] and data["ticket"]["labels"] == []
    assert data["overview"]["total_comments"] == data["overview"]["participant_count"] == 2
    newest, oldest = data["comments"]
    assert (newest["author_id"], newest["actor_type"], newest["parent_id"]) == (
        agent,
        "agent",
        first["id"],
    )
    assert newest["body_truncated"] is True and len(newest["body"]) == 398
    assert (oldest["body"], oldest["body_truncated"], oldest["is_edited"]) == (
        "first",
        False,
        False,
    )
    assert set(data["participants"]) == {LOCAL_USER, ann, agent}
    assert data["participants"][ann] == {"type": "user", "name": "Ann"}
    assert data["participants"][agent]["agent_type"] == "coder"
    assert len(data["participants"][agent]["description"]) == 238
    page = data["meta"]["comments_page"]
    assert (page["total_filtered"], page["returned"], page["has_more"]) == (2, 2, False)
    assert data["meta"]["truncated"] is False and data["meta"]["cap_bytes"] == CAP


def test_sections_are_left_out_on_request(make: Factory, ticket: Any, digest: Digest) -> None:
    make.comment(ticket)

    data = digest(overview=False, comments=False)

    assert list(data) == ["ticket", "participants", "meta"]
    assert data["meta"]["section_flags"] == {"overview": False, "comments": False, "images": False}
    assert data["meta"]["comments_page"]["total_filtered"] == 0
    assert data["meta"]["comments_page"]["limit"] == 0


def test_comments_are_paged_and_filtered(
    client: TestClient, make: Factory, ticket: Any, digest: Digest, ann: str
) -> None:
    coder, tester = (
        make_agent(client, kind, config={"type": kind})["id"] for kind in ("coder", "tester")
    )
    for author in (ann, coder, tester):
        make.comment(ticket, author_id=author)

    def authors(**filters: Any) -> list[str]:
        return [comment["author_id"] for comment in digest(filters)["comments"]]

    assert authors() == [tester, coder, ann]
    assert authors(author_ids=[ann, coder]) == [coder, ann]
    assert authors(actor_types=["user"]) == [ann]
    assert authors(agent_types=["coder"]) == [coder]
    assert authors(agent_types=["coder"], actor_types=["user", "agent"]) == [coder, ann]
    assert authors(agent_types=["coder"], actor_types=["user"]) == [ann]
    page = digest({"limit": 1, "offset": 1, "include_bodies": False})
    assert [comment["author_id"] for comment in page["comments"]] == [coder]
    assert "body" not in page["comments"][0]
    shown = page["meta"]["comments_page"]
    assert (shown["next_offset"], shown["has_more"], shown["filters"]) == (2, True, {})


def test_images_are_paths_of_files(
    client: TestClient, make: Factory, ticket: Any, digest: Digest
) -> None:
    comment = make.comment(ticket)
    png = ("a.png", b"\x89PNG\r\n\x1a\n" + b"0" * 20, "image/png")
    path = f"/api/projects/{ticket['project_id']}/tickets/by-number/1/attachments"
    for address in (path, f"/api/comments/{comment['id']}/attachments"):
        form = {"uploaded_by_id": LOCAL_USER}
        assert client.post(address, files={"file": png}, data=form).status_code == 201

    data = digest(images=True, comments=False)

    assert data["ticket"]["attachment_counts"] == {"total": 1, "images": 1}
    (image,) = data["ticket_attachments"]
    assert set(image) == {"id", "filename", "mime_type", "size_bytes", "file_path"}
    (group,) = data["comment_attachments"]
    assert group["comment_id"] == comment["id"] and len(group["attachments"]) == 1
    assert data["meta"]["comments_page"]["returned"] == 1


def test_the_oldest_comments_are_shortened_first(
    make: Factory, ticket: Any, digest: Digest
) -> None:
    for _ in range(30):
        make.comment(ticket, body="日本語 text " * 60)

    data = digest({"limit": 30, "max_body_chars": 4000})

    bodies = [comment["body"] for comment in data["comments"]]
    assert len(bodies) == 30
    assert CAP - 1000 < data["meta"]["bytes_used"] <= CAP
    assert data["meta"]["truncated"] is True
    assert not data["comments"][0]["body_truncated"] and data["comments"][-1]["body_truncated"]
    assert [len(body) for body in bodies] == sorted(map(len, bodies), reverse=True)
    assert data["meta"]["prune_stats"]["commentBodiesRemoved"] == 0


def test_the_next_page_begins_where_a_cut_one_ends(
    make: Factory, ticket: Any, digest: Digest
) -> None:
    ids = [make.comment(ticket, body="x")["id"] for _ in range(100)][::-1]
    seen: list[int] = []
    offset = 0

    while offset is not None:
        data = digest({"limit": 100, "offset": offset}, ticket_body_preview_chars=1200)
        page = data["meta"]["comments_page"]
        assert data["meta"]["bytes_used"] <= CAP
        assert page["returned"] == len(data["comments"])
        seen += [comment["id"] for comment in data["comments"]]
        offset = page["next_offset"]

    assert seen == ids


def test_the_whole_is_given_when_asked_for(make: Factory, ticket: Any, digest: Digest) -> None:
    for _ in range(60):
        make.comment(ticket, body="y" * 1000)

    data = digest({"limit": 60}, force_full=True)

    assert data["ticket"]["body"] == data["ticket"]["body_preview"] == "b" * 1200
    assert {len(comment["body"]) for comment in data["comments"]} == {1000}
    assert data["meta"]["bytes_used"] > CAP and data["meta"]["cap_enforced"] is False
    assert "prune_stats" not in data["meta"]


def test_a_title_beyond_the_cap_leaves_the_least(
    client: TestClient, ticket: Any, digest: Digest
) -> None:
    path = f"/api/projects/{ticket['project_id']}/tickets/by-number/1"
    assert client.patch(path, json={"title": "t" * 30_000}).status_code == 200

    data = digest()

    assert list(data["ticket"]) == ["id", "ticket_number", "project_id", "title", "status"]
    assert len(data["ticket"]["title"]) <= 500
    assert data["meta"] == {"cap_bytes": CAP, "truncated": True, "fallback_minimal": True}


@pytest.mark.parametrize(
    "config",
    [
        {"ticket_body_preview_chars": 0},
        {"ticket_body_preview_chars": 10_001},
        {"comment_filters": {"limit": 101}},
        {"comment_filters": {"actor_types": ["robot"]}},
        {"comment_filters": {"author_ids": [""]}},
        {"comment_filters": {"max_body_chars": 4001}},
    ],
)
def test_a_configuration_that_does_not_fit(
    call_tool: CallTool, ticket: Any, config: dict[str, Any]
) -> None:
    call = {"project_id": ticket["project_id"], "ticket_number": 1}

    assert call_tool("get_ticket", **call, config=config).is_error


@given(text=st.text(max_size=60), limit=st.integers(1, 50))
def test_shortened_text_has_at_most_the_limit(text: str, limit: int) -> None:
    short = shortened(text, limit)

    assert len(short) <= limit
    assert short == text or len(text) > limit
