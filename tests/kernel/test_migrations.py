"""Migrations: one ledger, all or nothing, nothing that does not fit is touched."""

import hashlib
import sqlite3
import stat
from collections.abc import Iterator
from functools import partial
from itertools import repeat
from pathlib import Path

import pytest
from tests.fakes import fake_plugin

from kombuse_kernel.app import build_kernel
from kombuse_kernel.config import load_config
from kombuse_kernel.migrations import Migration, MigrationError, backup, collect, migrate
from kombuse_sdk.sqlite_file import connect
from kombuse_sdk.types import PluginSource

FIRST = Migration(
    "notes", "0001_notes", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);\n"
)
SECOND = Migration("notes", "0002_done", "ALTER TABLE notes ADD COLUMN done INTEGER;\n")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made = connect(tmp_path / "data.db", read_only=False)
    yield made
    made.close()


def tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite%'")
    return {row[0] for row in rows}


def ledger(connection: sqlite3.Connection) -> list[tuple[str, ...]]:
    rows = connection.execute("SELECT plugin, name, checksum FROM migrations ORDER BY id")
    return [tuple(row) for row in rows]


def test_each_file_is_applied_once_and_written_down(database: sqlite3.Connection) -> None:
    assert migrate(database, [FIRST, SECOND]) == [FIRST, SECOND]
    assert migrate(database, [FIRST, SECOND]) == []

    assert ledger(database) == [
        ("notes", "0001_notes", hashlib.sha256(FIRST.sql.encode()).hexdigest()),
        ("notes", "0002_done", hashlib.sha256(SECOND.sql.encode()).hexdigest()),
    ]


def test_only_what_is_missing_is_applied(database: sqlite3.Connection) -> None:
    migrate(database, [FIRST])

    assert migrate(database, [FIRST, SECOND]) == [SECOND]


def test_the_given_order_of_plugins_is_kept(database: sqlite3.Connection) -> None:
    parent = Migration("z", "0001_z", "CREATE TABLE z (id INTEGER PRIMARY KEY)")
    child = Migration("a", "0001_a", "CREATE TABLE a (z REFERENCES z);\nINSERT INTO z VALUES (1)")

    migrate(database, [parent, child])

    assert [row[0] for row in ledger(database)] == ["z", "a"]


def test_files_are_taken_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("0002_b.sql", "0010_c.sql", "0001_a.sql", "README.md", "0003_x.sql.orig"):
        (tmp_path / name).write_text(f"SELECT '{name}'", encoding="utf-8")

    assert [m.name for m in collect("notes", tmp_path)] == ["0001_a", "0002_b", "0010_c"]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE more (id);\nINSERT INTO nowhere VALUES (1);\n",
        "CREATE TABLE more (id);\nthis is no SQL;\n",
        "CREATE TABLE more (id);\nSELECT 1; SELECT 2;\n",
        "CREATE TABLE more (id);\nINSERT INTO more VALUES ('unclosed);\n",
        "CREATE TABLE more (id);\nCOMMIT;\nCREATE TABLE evenmore (id);\n",
        "CREATE TABLE more (id);\nBEGIN;\n",
        "CREATE TABLE more (id);\nATTACH ':memory:' AS other;\n",
    ],
)
def test_a_file_that_fails_leaves_nothing(database: sqlite3.Connection, sql: str) -> None:
    migrate(database, [FIRST])

    with pytest.raises(MigrationError, match=r"^notes/0002_bad: ") as caught:
        migrate(database, [FIRST, Migration("notes", "0002_bad", sql)])

    assert caught.value.plugin == "notes"
    assert not database.in_transaction
    assert tables(database) == {"notes", "migrations"}
    assert [row[1] for row in ledger(database)] == ["0001_notes"]
    assert database.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_a_migration_that_failed_is_applied_once_it_is_mended(database: sqlite3.Connection) -> None:
    with pytest.raises(MigrationError):
        migrate(database, [FIRST, Migration("notes", "0002_done", "nonsense")])

    assert migrate(database, [FIRST, SECOND]) == [SECOND]


def test_a_broken_reference_is_found_before_the_commit(database: sqlite3.Connection) -> None:
    parent = Migration(
        "a",
        "0001_a",
        "CREATE TABLE p (id INTEGER PRIMARY KEY);\n"
        "CREATE TABLE c (p INTEGER REFERENCES p);\nINSERT INTO p VALUES (1);\n"
        "INSERT INTO c VALUES (1);\n",
    )
    migrate(database, [parent])

    with pytest.raises(MigrationError, match="a/0002_b breaks a reference of c"):
        migrate(database, [parent, Migration("a", "0002_b", "DELETE FROM p")])

    assert database.execute("SELECT count(*) FROM p").fetchone()[0] == 1
    assert database.execute("PRAGMA foreign_keys").fetchone()[0] == 1


def test_a_table_may_be_rebuilt_under_its_references(database: sqlite3.Connection) -> None:
    first = Migration(
        "a",
        "0001_a",
        "CREATE TABLE p (id INTEGER PRIMARY KEY);\nINSERT INTO p VALUES (1);\n"
        "CREATE TABLE c (p INTEGER REFERENCES p ON DELETE CASCADE);\nINSERT INTO c VALUES (1);\n",
    )
    rebuild = Migration(
        "a",
        "0002_b",
        "CREATE TABLE new (id INTEGER PRIMARY KEY, more TEXT);\n"
        "INSERT INTO new (id) SELECT id FROM p;\nDROP TABLE p;\nALTER TABLE new RENAME TO p;\n",
    )

    migrate(database, [first, rebuild])

    assert database.execute("SELECT count(*) FROM c").fetchone()[0] == 1


def test_triggers_and_semicolons_in_texts_are_one_statement(database: sqlite3.Connection) -> None:
    sql = """
    -- a comment; with a semicolon
    CREATE TABLE t (a TEXT DEFAULT ';');
    CREATE TRIGGER tt AFTER INSERT ON t BEGIN
        UPDATE t SET a = 'x;y' WHERE a = ';';
        DELETE FROM t WHERE a = 'z';
    END;
    INSERT INTO t DEFAULT VALUES;
    -- the end"""

    migrate(database, [Migration("a", "0001_a", sql)])

    assert database.execute("SELECT a FROM t").fetchone()[0] == "x;y"


def dump(connection: sqlite3.Connection) -> list[str]:
    return list(connection.iterdump())


def test_a_changed_file_is_refused_and_nothing_is_touched(database: sqlite3.Connection) -> None:
    migrate(database, [FIRST])
    before = dump(database)
    changed = Migration("notes", "0001_notes", FIRST.sql + "-- more\n")

    with pytest.raises(MigrationError, match="notes/0001_notes has changed since it was applied"):
        migrate(database, [changed, SECOND])

    assert dump(database) == before


def test_a_newer_database_is_refused_and_nothing_is_touched(database: sqlite3.Connection) -> None:
    migrate(database, [FIRST, SECOND])
    before = dump(database)
    other = Migration("other", "0001_other", "CREATE TABLE other (id)")

    with pytest.raises(MigrationError, match=r"made by a newer version of notes .*0002_done"):
        migrate(database, [FIRST, other])

    assert dump(database) == before


def test_the_ledger_of_an_absent_plugin_is_no_obstacle(database: sqlite3.Connection) -> None:
    migrate(database, [FIRST])
    other = Migration("other", "0001_other", "CREATE TABLE other (id)")

    assert migrate(database, [other]) == [other]
    assert migrate(database, [FIRST, other]) == []


def test_a_copy_is_made_before_a_database_with_data_is_upgraded(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    migrate(database, [FIRST], backups)
    assert not backups.exists()
    database.execute("INSERT INTO notes VALUES (1, 'precious')")

    migrate(database, [FIRST, SECOND], backups)

    (copy,) = backups.iterdir()
    assert copy.name.startswith("before-migration-")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(backups.stat().st_mode) == 0o700
    old = connect(copy, read_only=True)
    assert [tuple(row) for row in old.execute("SELECT * FROM notes")] == [(1, "precious")]
    assert [row[1] for row in ledger(old)] == ["0001_notes"]
    old.close()


def test_no_copy_is_made_when_there_is_nothing_to_do(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    migrate(database, [FIRST], tmp_path / "backups")
    migrate(database, [FIRST], tmp_path / "backups")

    assert not (tmp_path / "backups").exists()


def test_a_backup_never_overwrites_a_file(database: sqlite3.Connection, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("mine", encoding="utf-8")

    with pytest.raises(FileExistsError):
        backup(database, target)

    assert target.read_text(encoding="utf-8") == "mine"


def folder(tmp_path: Path, name: str, **files: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    for file, sql in files.items():
        (made / f"{file}.sql").write_text(sql, encoding="utf-8")
    return made


def test_a_home_can_be_used_again_and_again(kombuse_home: Path) -> None:
    for _ in range(3):
        build_kernel(load_config(kombuse_home)).stop()


def test_a_third_party_plugin_whose_migration_fails_is_left_out_alone(
    tmp_path: Path, kombuse_home: Path
) -> None:
    bad = folder(tmp_path, "bad", **{"0001_a": "CREATE TABLE t (", "0002_b": "SELECT 1"})
    good = folder(tmp_path, "good", **{"0001_a": "CREATE TABLE good (id)"})
    plugins = [
        fake_plugin("bad", migrations=lambda: bad),
        fake_plugin("good", migrations=lambda: good),
        fake_plugin("needy", requires=("bad",), migrations=lambda: good),
    ]

    kernel = build_kernel(
        load_config(kombuse_home),
        [PluginSource(p.__name__, "test", partial(next, repeat(p))) for p in plugins],
    )

    failed = {s.name: s.reason or "" for s in kernel.plugins if s.source == "test" and s.reason}
    assert failed["bad"].startswith("bad/0001_a: ")
    assert failed["needy"] == "requires bad, which failed"
    assert "good" not in failed
    with kernel.db.read() as tx:
        assert tx.value("SELECT count(*) FROM good") == 0
    kernel.stop()


def test_a_newer_built_in_plugin_in_the_database_stops_the_start(kombuse_home: Path) -> None:
    build_kernel(load_config(kombuse_home)).stop()
    path = load_config(kombuse_home).database_path
    connection = connect(path, read_only=False)
    connection.execute(
        "INSERT INTO migrations (plugin, name, checksum, applied_at)"
        " VALUES ('kernel', '9999_future', 'x', 'y')"
    )
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(MigrationError, match=r"newer version of kernel .*restore a backup"):
        build_kernel(load_config(kombuse_home))

    assert path.read_bytes() == before
    assert not (kombuse_home / "backups").exists()


def test_a_file_that_is_no_database_is_refused_and_left_alone(kombuse_home: Path) -> None:
    path = load_config(kombuse_home).database_path
    path.parent.mkdir()
    path.write_bytes(b"my diary " * 500)

    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        build_kernel(load_config(kombuse_home))

    assert path.read_bytes() == b"my diary " * 500
