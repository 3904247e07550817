"""T25: an upgrade loses nothing, also when it is interrupted or goes wrong."""

import hashlib
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from tests.installed import install

from kombuse_sdk.processes import ServerProcess, command, environment

StartServer = Callable[..., ServerProcess]
FIRST = {"0001_notes": "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);"}
SECOND = FIRST | {"0002_done": "ALTER TABLE notes ADD COLUMN done INTEGER;"}
ENDLESS = FIRST | {
    "0002_done": (
        "ALTER TABLE notes ADD COLUMN done INTEGER;\n"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " INSERT INTO notes SELECT i, 'x', 1 FROM n;"
    )
}


def migrate(home: Path, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("db", "migrate"),
        env=environment(home, env),
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        yield connection


def dump(path: Path) -> list[str]:
    """A copy may list its indexes and triggers in another order."""
    with opened(path) as connection:
        return sorted(connection.iterdump())


def test_newer_database_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert migrate(home, {}).returncode == 0
    with closing(sqlite3.connect(home / "data.db")) as connection, connection:
        connection.execute(
            "INSERT INTO migrations (plugin, name, checksum, applied_at)"
            " VALUES ('profiles', '0999_future', '', '')"
        )
    before = hashlib.sha256((home / "data.db").read_bytes()).digest()

    for arguments in (("serve", "--port", "0"), ("db", "migrate")):
        ended = subprocess.run(
            command(*arguments),
            env=environment(home),
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )

        assert ended.returncode == 5
        assert "made by a newer version of profiles" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
    assert hashlib.sha256((home / "data.db").read_bytes()).digest() == before
    assert not (home / "backups").exists()


def test_upgrade_copies_the_database_first_and_the_copy_can_be_restored(tmp_path: Path) -> None:
    home = tmp_path / "home"
    env = install(tmp_path / "site", "notes", migrations=FIRST)
    assert "applied notes/0001_notes" in migrate(home, env).stdout
    with closing(sqlite3.connect(home / "data.db")) as connection, connection:
        connection.execute("INSERT INTO notes (text) VALUES ('kept')")
    before = dump(home / "data.db")

    install(tmp_path / "site", "notes", migrations=SECOND)
    assert "applied notes/0002_done" in migrate(home, env).stdout
    (copy,) = (home / "backups").iterdir()
    assert dump(copy) == before

    restored = subprocess.run(
        command("db", "restore", str(copy)),
        env=environment(home, env),
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert "The former database is kept as" in restored.stdout
    assert dump(home / "data.db") == before


def test_interrupted_upgrade_leaves_nothing_and_starts_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    env = install(tmp_path / "site", "notes", migrations=FIRST)
    assert migrate(home, env).returncode == 0
    before = dump(home / "data.db")
    install(tmp_path / "site", "notes", migrations=ENDLESS)
    log = home / "data.db-wal"

    upgrading = subprocess.Popen(command("db", "migrate"), env=environment(home, env))
    deadline = time.monotonic() + 20
    while not (log.exists() and log.stat().st_size > 1_000_000) and upgrading.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    upgrading.kill()
    upgrading.wait()

    assert dump(home / "data.db") == before
    install(tmp_path / "site", "notes", migrations=SECOND)
    assert "applied notes/0002_done" in migrate(home, env).stdout


def test_upgrade_that_fails_is_undone_and_the_rest_is_served(
    tmp_path: Path, start_server: StartServer
) -> None:
    broken = FIRST | {"0002_bad": "CREATE TABLE more (id INTEGER);\nCREATE TABLE notes (id);"}
    env = install(tmp_path / "site", "notes", migrations=broken)

    server = start_server(env=env)

    assert "Plugin notes is failed: notes/0002_bad: table notes already exists" in server.output
    assert server.http.get("/api/profiles").status_code == 200
    with opened(server.home / "data.db") as connection:
        rows = connection.execute("SELECT name FROM sqlite_master WHERE name IN ('notes', 'more')")
        assert rows.fetchall() == [("notes",)]
