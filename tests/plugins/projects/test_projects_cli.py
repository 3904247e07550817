"""`kombuse project`, against a real server."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.command_line import CommandLine

from kombuse_sdk.processes import ServerProcess


@pytest.fixture
def cli(command_line: Callable[[Path], CommandLine], server: ServerProcess) -> CommandLine:
    (server.home / "cli.json").unlink(missing_ok=True)
    for project in server.http.get("/api/projects").json():
        server.http.delete(f"/api/projects/{project['id']}")
    return command_line(server.home)


def test_created_project_is_listed_and_shown(cli: CommandLine) -> None:
    made = cli.run("project", "create", "My Project", "--description", "What it is", "--json")
    assert made.code == 0
    assert made.json["slug"] == "my-project"
    assert made.json["owner_id"] == "user-1"

    assert cli.run("project", "list").out.splitlines() == [
        "SLUG        NAME        FOLDER",
        "my-project  My Project        ",
    ]
    assert [item["id"] for item in cli.run("project", "list", "--json").json] == [made.json["id"]]
    shown = cli.run("project", "show", "my-project").out
    assert "about    What it is\n" in shown
    assert "tickets  0 open, 0 in progress, 0 blocked, 0 closed\n" in shown


def test_no_project_is_said(cli: CommandLine) -> None:
    assert cli.run("project", "list").out == "There is no project.\n"
    assert cli.run("project", "list", "--json").json == []


def test_search_and_limit_are_passed_on(cli: CommandLine) -> None:
    for name in ("alpha", "beta", "alphabet"):
        assert cli.run("project", "create", name).code == 0

    names = [item["name"] for item in cli.run("project", "list", "--search", "lpha", "--json").json]

    assert names == ["alphabet", "alpha"]
    assert len(cli.run("project", "list", "--limit", "2", "--json").json) == 2


def test_folder_becomes_absolute(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()

    made = cli.run("project", "create", "code", "--folder", "code", "--json")

    assert made.json["local_path"] == str(tmp_path / "code")


def test_unknown_project_ends_with_1(cli: CommandLine) -> None:
    ended = cli.run("project", "show", "nothing")

    assert (ended.code, ended.out, ended.err) == (1, "", "error: Project not found\n")


def test_taken_slug_ends_with_1(cli: CommandLine) -> None:
    assert cli.run("project", "create", "one", "--slug", "same").code == 0

    ended = cli.run("project", "create", "two", "--slug", "same")

    assert ended.code == 1
    assert ended.err.startswith("error: ")


def test_value_that_does_not_fit_is_named_by_its_field(cli: CommandLine) -> None:
    ended = cli.run("project", "create", "x", "--slug", "Not A Slug")

    assert ended.code == 1
    assert ended.err.startswith("error: slug: ")


def test_no_chosen_project_ends_with_2_and_says_how_to_choose(cli: CommandLine) -> None:
    ended = cli.run("project", "show")

    assert ended.code == 2
    assert "`kombuse project use`" in ended.err


def test_used_project_is_remembered_privately(cli: CommandLine) -> None:
    made = cli.run("project", "create", "one", "--json").json
    cli.run("project", "create", "two")

    assert cli.run("project", "use", "one").code == 0

    assert cli.run("project", "show", "--json").json["id"] == made["id"]
    assert json.loads((cli.home / "cli.json").read_text(encoding="utf-8")) == {
        "project": made["id"]
    }
    assert stat.S_IMODE((cli.home / "cli.json").stat().st_mode) == 0o600


def test_unknown_project_is_not_remembered(cli: CommandLine) -> None:
    assert cli.run("project", "use", "nothing").code == 1
    assert not (cli.home / "cli.json").exists()


def test_innermost_folder_wins_over_the_remembered_one_and_the_option_over_both(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "outer" / "inner"
    (inner / "deep").mkdir(parents=True)
    for name, options in {
        "elsewhere": [],
        "outer": ["--folder", str(tmp_path / "outer")],
        "inner": ["--folder", str(inner)],
    }.items():
        assert cli.run("project", "create", name, *options).code == 0
    cli.run("project", "use", "elsewhere")

    def current(*options: str) -> str:
        return str(cli.run("project", "show", "--json", *options).json["slug"])

    monkeypatch.chdir(inner / "deep")
    assert current() == "inner"
    monkeypatch.chdir(tmp_path / "outer")
    assert current() == "outer"
    assert current("--project", "elsewhere") == "elsewhere"
    monkeypatch.setenv("KOMBUSE_PROJECT", "inner")
    assert current() == "inner"
    monkeypatch.delenv("KOMBUSE_PROJECT")
    monkeypatch.chdir(tmp_path)
    assert current() == "elsewhere"


def test_damaged_memory_counts_as_none(cli: CommandLine) -> None:
    (cli.home / "cli.json").write_text("[]", encoding="utf-8")

    assert cli.run("project", "show").code == 2
