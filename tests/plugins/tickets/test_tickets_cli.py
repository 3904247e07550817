"""`kombuse ticket`, against a real server."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import CommandLine, Ended

from kombuse_sdk.processes import ServerProcess

COUNT = itertools.count(1)


class Tickets:
    """`kombuse ticket` on a project of its own."""

    def __init__(self, cli: CommandLine, server: ServerProcess) -> None:
        self.cli = cli
        self.http = server.http
        body = {"name": f"cli {next(COUNT)}", "owner_id": "user-1"}
        self.project = self.http.post("/api/projects", json=body).json()

    def __call__(self, *arguments: str) -> Ended:
        return self.cli.run("ticket", *arguments, "--project", self.project["slug"])

    def json(self, *arguments: str) -> Any:
        ended = self(*arguments, "--json")
        assert ended.code == 0, ended.err
        return ended.json

    def titles(self, *arguments: str) -> list[str]:
        return [ticket["title"] for ticket in self.json(*arguments)]

    def label(self, name: str) -> Any:
        path = f"/api/projects/{self.project['id']}/labels"
        return self.http.post(path, json={"name": name}).json()


@pytest.fixture
def ticket(command_line: Callable[[Path], CommandLine], server: ServerProcess) -> Tickets:
    if server.http.get("/api/profiles/ann").status_code == 404:
        body = {"id": "ann", "type": "user", "name": "Ann"}
        assert server.http.post("/api/profiles", json=body).status_code == 201
    return Tickets(command_line(server.home), server)


def test_created_ticket_is_confirmed_by_its_number(ticket: Tickets) -> None:
    assert ticket("create", "First").out == "#1 First: created\n"
    assert ticket("create", "Second").out == "#2 Second: created\n"


def test_create_passes_everything_on(ticket: Tickets) -> None:
    ticket.label("Bug")

    made = ticket.json(
        *("create", "All", "--body", "text", "--status", "blocked", "--priority", "3"),
        *("--assignee", "ann", "--label", "bug", "--as", "ann"),
    )

    assert made["body"] == "text"
    assert made["status"] == "blocked"
    assert made["priority"] == 3
    assert made["assignee_id"] == made["author_id"] == "ann"
    shown = ticket.json("show", "1")
    assert [label["name"] for label in shown["labels"]] == ["Bug"]


def test_body_comes_from_a_file_or_standard_input(ticket: Tickets, tmp_path: Path) -> None:
    (tmp_path / "body.md").write_text("# From a file\n", encoding="utf-8")
    slug = ticket.project["slug"]

    assert ticket.json("create", "a", "--body-file", "body.md")["body"] == "# From a file\n"
    command = ("ticket", "create", "b", "--body-file", "-", "--project", slug, "--json")
    piped = ticket.cli.run_process(*command, input="from a pipe: ü\n")
    assert piped.json["body"] == "from a pipe: ü\n"


def test_text_and_file_at_once_or_a_missing_file_is_wrong_usage(ticket: Tickets) -> None:
    assert ticket("create", "x", "--body", "a", "--body-file", "b").code == 2
    assert ticket("create", "x", "--body-file", "missing.md").code == 2
    assert ticket.titles("list") == []


def test_list_is_a_table(ticket: Tickets) -> None:
    ticket.label("bug")
    ticket("create", "Old [red]title[/red]", "--priority", "0", "--label", "bug")
    ticket("create", "New", "--assignee", "ann", "--status", "in_progress")

    assert [line.rstrip() for line in ticket("list").out.splitlines()] == [
        "NUMBER  STATUS       PRIORITY  ASSIGNEE  LABELS  TITLE",
        "#2      in progress            Ann               New",
        "#1      open         0                   bug     Old [red]title[/red]",
    ]


def test_list_filters_and_sorts(ticket: Tickets) -> None:
    for name in ("bug", "Feature"):
        ticket.label(name)
    ticket("create", "a", "--label", "bug", "--priority", "1")
    ticket("create", "b", "--label", "feature", "--status", "closed", "--priority", "4")
    ticket("create", "c", "--assignee", "ann")
    ticket("claim", "1")

    assert ticket.titles("list", "--status", "closed") == ["b"]
    assert ticket.titles("list", "--label", "BUG") == ["a"]
    assert ticket.titles("list", "--assignee", "ann") == ["c"]
    assert ticket.titles("list", "--claimed-by", "user-1") == ["a"]
    assert ticket.titles("list", "--unclaimed") == ["c", "b"]
    assert ticket.titles("list", "--priority", "4") == ["b"]
    assert ticket.titles("list", "--sort", "created_at", "--order", "asc") == ["a", "b", "c"]
    assert ticket.titles("list", "--limit", "1", "--offset", "1") == ["b"]


def test_nothing_found_is_said(ticket: Tickets) -> None:
    assert ticket("list").out == "There is no such ticket.\n"


def test_unknown_label_is_named_and_ends_with_1(ticket: Tickets) -> None:
    ended = ticket("list", "--label", "nope")

    assert (ended.code, ended.err) == (1, "error: there is no label nope\n")


def test_show_prints_the_ticket_and_its_comments(ticket: Tickets) -> None:
    ticket("create", "Title", "--body", "Line one\nline two")
    first = ticket.json("comment", "#1", "Said first")
    ticket("comment", "1", "Said second", "--reply-to", str(first["id"]), "--as", "ann")

    lines = ticket("show", "1").out.splitlines()

    assert lines[0] == "#1 Title"
    assert "status  open" in lines
    body = lines.index("Line one")
    assert lines[body + 1] == "line two"
    assert lines[body + 3].endswith(f"comment {first['id']}")
    assert lines[body + 4] == "Said first"
    assert lines[body + 6].startswith("-- Ann, ")
    assert lines[body + 6].endswith(f", answering {first['id']}")
    assert lines[body + 7] == "Said second"
    shown = ticket.json("show", "1")
    assert [comment["body"] for comment in shown["comments"]] == ["Said first", "Said second"]


def test_control_characters_of_others_do_not_reach_the_terminal(ticket: Tickets) -> None:
    ticket("create", "bell\x07", "--body", "red\x1b[31m")

    assert "\x07" not in ticket("list").out
    shown = ticket("show", "1").out
    assert "\x1b" not in shown
    assert "red[31m" in shown


def test_comment_from_standard_input_and_without_text(ticket: Tickets) -> None:
    ticket("create", "x")
    slug = ticket.project["slug"]

    ended = ticket.cli.run_process("ticket", "comment", "1", "-", "-p", slug, input="piped\n")

    assert ended.code == 0
    assert ended.out.endswith(" on #1\n")
    assert ticket.json("show", "1")["comments"][0]["body"] == "piped\n"
    assert ticket("comment", "1").code == 2
    assert ticket("comment", "1", "a", "--body", "b").code == 2


def test_edit_changes_only_what_is_named(ticket: Tickets) -> None:
    for name in ("old", "new"):
        ticket.label(name)
    before = ticket.json("create", "x", "--body", "b", "--assignee", "ann", "--label", "old")

    ended = ticket("edit", "1", "--status", "closed", "--add-label", "new", "--remove-label", "old")

    assert (ended.code, ended.out) == (0, "#1 x: changed\n")
    after = ticket.json("show", "1")
    assert after["status"] == "closed"
    assert [label["name"] for label in after["labels"]] == ["new"]
    assert after["body"] == before["body"]
    assert after["assignee_id"] == "ann"


def test_an_edit_that_fails_in_part_changes_nothing(ticket: Tickets) -> None:
    ticket.label("new")
    before = ticket.json("create", "x", "--assignee", "ann")

    ended = ticket("edit", "1", "--title", "y", "--add-label", "new", "--assignee", "nobody")

    assert ended.code == 1
    after = ticket.json("show", "1")
    assert (after["title"], after["labels"]) == (before["title"], [])


def test_edit_clears_the_assignee_and_keeps_priority_0(ticket: Tickets) -> None:
    ticket("create", "x", "--assignee", "ann", "--priority", "2")

    edited = ticket.json("edit", "1", "--assignee", "", "--priority", "0")

    assert edited["assignee_id"] is None
    assert edited["priority"] == 0


def test_edit_without_a_change_is_wrong_usage(ticket: Tickets) -> None:
    ticket("create", "x")

    assert ticket("edit", "1").code == 2


def test_claim_is_exclusive_until_it_is_given_back(ticket: Tickets) -> None:
    ticket("create", "x")

    assert ticket("claim", "1", "--as", "ann").out == "#1 x: claimed by ann\n"
    refused = ticket("claim", "1")
    assert refused.code == 1
    assert refused.err in (
        "error: Ticket assigned to ann\n",
        "error: Ticket already claimed by ann\n",
    )
    assert ticket("unclaim", "1").code == 1
    assert ticket("unclaim", "1", "--force").code == 0
    assert ticket.json("show", "1")["claimed_by_id"] is None


def test_claim_for_some_minutes(ticket: Tickets) -> None:
    ticket("create", "x")

    assert ticket.json("claim", "1", "--minutes", "30")["claim_expires_at"] is not None
    assert ticket("claim", "1", "--minutes", "0").code == 2


def test_search_finds_words_in_comments(ticket: Tickets) -> None:
    ticket("create", "Needle in the title")
    ticket("create", "other")
    ticket("comment", "2", "a needle in a comment")
    ticket("create", "unrelated")

    assert sorted(ticket.titles("search", "needle")) == ["Needle in the title", "other"]
    assert ticket.titles("search", "needle", "--status", "closed") == []


@pytest.mark.parametrize("command", ["show", "claim", "unclaim"])
def test_unknown_ticket_ends_with_1(ticket: Tickets, command: str) -> None:
    ended = ticket(command, "99")

    assert (ended.code, ended.out, ended.err) == (1, "", "error: Ticket not found\n")


def test_unknown_profile_is_named(ticket: Tickets) -> None:
    ended = ticket("create", "x", "--as", "nobody")

    assert ended.code == 1
    assert ended.err == "error: author_id does not reference an existing profile\n"


def test_profile_from_the_environment(ticket: Tickets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KOMBUSE_PROFILE", "ann")

    assert ticket.json("create", "x")["author_id"] == "ann"
