"""`kombuse db`"""

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import CommandLine

from kombuse_sdk.processes import ServerProcess

CommandLines = Callable[[Path], CommandLine]


@pytest.fixture
def cli(command_line: CommandLines, tmp_path: Path) -> CommandLine:
    """Commands on a home with a database and without a server."""
    made = command_line(tmp_path / "home")
    assert made.run("db", "migrate").code == 0
    return made


@pytest.fixture
def live(command_line: CommandLines, server: ServerProcess) -> CommandLine:
    return command_line(server.home)


def change(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(sql)


def value(path: Path, sql: str) -> Any:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return connection.execute(sql).fetchone()[0]


def test_migrate_makes_the_tables_and_says_which_files_it_applied(
    command_line: CommandLines, tmp_path: Path
) -> None:
    cli = command_line(tmp_path / "home")

    lines = cli.run("db", "migrate").out.splitlines()

    assert lines[0] == "applied kernel/0001_events"
    assert "applied profiles/0001_profiles" in lines
    assert lines[-1] == f"{cli.home}/data.db is up to date"
    assert cli.run("db", "migrate").out == f"{cli.home}/data.db is up to date\n"


def test_check_of_a_sound_database(live: CommandLine) -> None:
    ended = live.run("db", "check")

    assert ended.code == 0
    assert [line.split() for line in ended.out.splitlines()] == [
        ["CHECK", "RESULT"],
        ["structure", "ok"],
        ["references", "ok"],
        ["search", "ok"],
        ["versions", "ok"],
    ]
    assert all(not item["problems"] for item in live.run("db", "check", "--json").json)


def test_check_finds_a_dangling_reference(cli: CommandLine) -> None:
    path = cli.home / "data.db"
    change(path, "CREATE TABLE child (parent TEXT REFERENCES profiles (id))")
    change(path, "INSERT INTO child VALUES ('nobody')")

    ended = cli.run("db", "check")

    assert ended.code == 5
    assert "row 1 of child points to no row of profiles" in ended.out


def test_check_finds_an_index_that_does_not_fit_its_table(cli: CommandLine) -> None:
    path = cli.home / "data.db"
    change(path, "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
    change(path, "CREATE VIRTUAL TABLE notes_fts USING fts5 (text, content='notes')")
    change(path, "INSERT INTO notes VALUES (1, 'unseen')")
    change(path, "INSERT INTO notes_fts (rowid, text) VALUES (1, 'other')")

    ended = cli.run("db", "check")

    assert ended.code == 5
    assert "the index notes_fts does not fit its table" in ended.out


def test_check_finds_a_changed_migration(cli: CommandLine) -> None:
    change(cli.home / "data.db", "UPDATE migrations SET checksum = 'x' WHERE plugin = 'profiles'")

    ended = cli.run("db", "check")

    assert ended.code == 5
    assert "profiles/0001_profiles has changed since it was applied" in ended.out


def test_check_of_garbage_names_every_check_that_failed(cli: CommandLine) -> None:
    (cli.home / "data.db").write_bytes(b"garbage " * 1000)

    found = cli.run("db", "check", "--json")

    assert found.code == 5
    assert {item["check"] for item in found.json if item["problems"]} == {
        "structure",
        "references",
        "search",
        "versions",
    }


@pytest.mark.parametrize("arguments", [["check"], ["backup", "copy.db"]])
def test_no_database_is_said(
    command_line: CommandLines, tmp_path: Path, arguments: list[str]
) -> None:
    ended = command_line(tmp_path / "nothing").run("db", *arguments)

    assert ended.code == 5
    assert f"{tmp_path}/nothing/data.db cannot be used: " in ended.err
    assert not (tmp_path / "nothing").exists()


def test_backup_of_a_running_server_is_one_private_file_with_everything(
    live: CommandLine, server: ServerProcess, tmp_path: Path
) -> None:
    body = {"type": "user", "name": "ann", "id": "ann"}
    assert server.http.post("/api/profiles", json=body).status_code == 201

    assert live.run("db", "backup", "copy.db").code == 0

    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]
    assert stat.S_IMODE((tmp_path / "copy.db").stat().st_mode) == 0o600
    assert value(tmp_path / "copy.db", "SELECT name FROM profiles WHERE id = 'ann'") == "ann"
    assert value(tmp_path / "copy.db", "PRAGMA integrity_check") == "ok"


def test_backup_never_overwrites(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("precious", encoding="utf-8")

    ended = cli.run("db", "backup", "copy.db")

    assert ended.code == 1
    assert ended.err == "error: copy.db exists already: name a new file\n"
    assert (tmp_path / "copy.db").read_text(encoding="utf-8") == "precious"


def test_backup_of_a_damaged_database_leaves_no_file(cli: CommandLine, tmp_path: Path) -> None:
    (cli.home / "data.db").write_bytes(b"garbage " * 1000)

    assert cli.run("db", "backup", "copy.db").code == 5
    assert not (tmp_path / "copy.db").exists()


def test_restore_brings_the_state_back_and_keeps_the_former(
    cli: CommandLine, tmp_path: Path
) -> None:
    path = cli.home / "data.db"
    change(path, "CREATE TABLE marks AS SELECT 'old' AS mark")
    assert cli.run("db", "backup", "copy.db").code == 0
    change(path, "UPDATE marks SET mark = 'new'")

    ended = cli.run("db", "restore", "copy.db")

    assert ended.code == 0
    assert value(path, "SELECT mark FROM marks") == "old"
    (former,) = (cli.home / "backups").iterdir()
    assert ended.out.splitlines()[-1] == f"The former database is kept as {former}"
    assert value(former, "SELECT mark FROM marks") == "new"
    assert sorted(p.name for p in cli.home.iterdir()) == ["backups", "data.db", "server.lock"]


def test_restore_takes_the_log_of_a_killed_server_out_of_the_way(
    cli: CommandLine, tmp_path: Path
) -> None:
    path = cli.home / "data.db"
    assert cli.run("db", "backup", "copy.db").code == 0
    path.write_bytes(b"garbage " * 1000)
    (cli.home / "data.db-wal").write_bytes(b"log of another database")

    assert cli.run("db", "restore", "copy.db").code == 0

    assert not (cli.home / "data.db-wal").exists()
    assert cli.run("db", "check").code == 0
    assert {path.suffix for path in (cli.home / "backups").iterdir()} == {".db", ".db-wal"}


def test_restore_into_an_empty_home(
    cli: CommandLine, command_line: CommandLines, tmp_path: Path
) -> None:
    assert cli.run("db", "backup", "copy.db").code == 0
    fresh = command_line(tmp_path / "fresh")

    ended = fresh.run("db", "restore", str(tmp_path / "copy.db"))

    assert ended.code == 0
    assert "former" not in ended.out
    assert fresh.run("db", "check").code == 0


def test_restore_is_refused_while_a_server_runs(
    live: CommandLine, server: ServerProcess, tmp_path: Path
) -> None:
    assert live.run("db", "backup", "copy.db").code == 0

    ended = live.run("db", "restore", "copy.db")

    assert ended.code == 4
    assert f"another server (process {server.pid}) uses {server.home} already" in ended.err
    assert server.http.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        pytest.param(lambda path: None, "there is no such file", id="absent"),
        pytest.param(lambda path: path.write_bytes(b"x" * 5000), "not a database", id="garbage"),
        pytest.param(
            lambda path: change(path, "CREATE TABLE t (x)"), "another program", id="alien"
        ),
        pytest.param(lambda path: path.touch(), "another program", id="empty"),
    ],
)
def test_restore_of_something_else_changes_nothing(
    cli: CommandLine, tmp_path: Path, make: Callable[[Path], Any], reason: str
) -> None:
    make(tmp_path / "other.db")
    before = (cli.home / "data.db").read_bytes()

    ended = cli.run("db", "restore", "other.db")

    assert ended.code == 5
    assert reason in ended.err
    assert (cli.home / "data.db").read_bytes() == before
    assert sorted(p.name for p in cli.home.iterdir()) == ["data.db", "server.lock"]
