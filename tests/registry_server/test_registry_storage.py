"""Below the routes: the database, the order of versions, blobs and query plans."""

import hashlib
import os
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.registry_server.site import Site

from kombuse_registry import versions
from kombuse_registry.server.blobs import Blobs
from kombuse_registry.server.database import Database, DatabaseUnusable
from kombuse_registry.server.ordering import sort_key

_NUMBERS = st.integers(0, 2**53 - 1)
_WORDS = st.from_regex(r"[0-9A-Za-z-]{0,4}[A-Za-z-][0-9A-Za-z-]{0,4}", fullmatch=True)
_PARTS = st.one_of(st.integers(0, 10**20).map(str), _WORDS)


@st.composite
def version_texts(draw: st.DrawFn) -> str:
    text = ".".join(str(draw(_NUMBERS | st.integers(0, 3))) for _ in range(3))
    parts = draw(st.lists(_PARTS, max_size=3))
    return f"{text}-{'.'.join(parts)}" if parts else text


@given(version_texts(), version_texts())
def test_keys_sort_as_versions_do(a: str, b: str) -> None:
    first, second = versions.parse(a), versions.parse(b)
    assert first is not None
    assert second is not None

    assert (sort_key(first) < sort_key(second)) == (first < second)
    assert (sort_key(first) == sort_key(second)) == (first == second)


def test_keys_sort_as_the_standard_has_it() -> None:
    """The example of https://semver.org, item 11."""
    releases = ["alpha", "alpha.1", "alpha.beta", "beta", "beta.2", "beta.11", "rc.1"]
    ordered = [*(f"1.0.0-{part}" for part in releases), "1.0.0"]

    parsed = [version for text in ordered if (version := versions.parse(text))]

    assert sorted(map(sort_key, parsed)) == [sort_key(version) for version in parsed]


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    database = Database(tmp_path / "registry.db")

    with database.read() as tx, pytest.raises(sqlite3.OperationalError):
        tx.execute("DELETE FROM accounts")
    database.close()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "registry.db")

    with pytest.raises(RuntimeError), database.write() as tx:
        tx.insert("accounts", name="ann", created_at=tx.now)
        raise RuntimeError
    with database.read() as tx:
        assert tx.value("SELECT count(*) FROM accounts") == 0
    database.close()


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("INSERT INTO migrations VALUES ('9999_later', 'x', 'x')", "newer version"),
        ("UPDATE migrations SET checksum = 'x'", "has changed"),
    ],
)
def test_a_database_of_another_version_is_not_touched(tmp_path: Path, sql: str, told: str) -> None:
    path = tmp_path / "registry.db"
    database = Database(path)
    with database.write() as tx:
        tx.execute(sql)
    database.close()
    before = path.read_bytes()

    with pytest.raises(DatabaseUnusable, match=told):
        Database(path)

    assert path.read_bytes() == before


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "registry.db").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="symbolic"):
        Database(tmp_path / "registry.db")

    assert not (tmp_path / "elsewhere").exists()


def test_a_sweep_removes_old_archives_of_no_version(site: Site) -> None:
    data = site.publish("acme/hello")
    blobs = site.registry.blobs
    known = blobs.path(hashlib.sha256(data).hexdigest())
    old, young = (blobs.path(letter * 64) for letter in "ab")
    for path in (old, young):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    left = site.registry.data / "incoming" / "upload-x"
    left.write_bytes(b"x")
    for path in (known, old, left):
        os.utime(path, (0, 0))

    assert site.registry.sweep() == 2

    assert [path.exists() for path in (known, old, young, left)] == [True, False, True, False]


def test_an_archive_that_comes_again_is_young_again(tmp_path: Path) -> None:
    """A sweep must not take it away before its row is there."""
    blobs = Blobs(tmp_path)
    blobs.prepare()
    for _ in range(2):
        descriptor, path = blobs.new_file()
        os.write(descriptor, b"data")
        os.close(descriptor)
        os.utime(path, (0, 0))
        blobs.keep(path, "a" * 64)

        assert blobs.sweep(lambda _: False) == 0


_OFFERED = "v.package_id = 1 AND v.removed_at IS NULL"


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (
            "SELECT 1 FROM packages p WHERE p.status <> 'quarantined' ORDER BY p.name, p.id",
            "packages_by_name",
        ),
        (
            "SELECT 1 FROM packages p WHERE p.status <> 'quarantined'"
            " AND (p.updated_at, p.id) < ('2026', 5) ORDER BY p.updated_at DESC, p.id DESC",
            "packages_by_update",
        ),
        (
            "SELECT 1 FROM packages p WHERE p.status <> 'quarantined'"
            " ORDER BY p.downloads DESC, p.id DESC",
            "packages_by_downloads",
        ),
        (
            "SELECT p.id FROM packages p WHERE p.status <> 'quarantined' AND +p.id IN"
            " (SELECT rowid FROM packages_text WHERE packages_text MATCH 'a')"
            " ORDER BY p.name, p.id",
            "packages_by_name",
        ),
        (
            f"SELECT 1 FROM versions v WHERE {_OFFERED} ORDER BY v.sort_key DESC, v.id DESC",
            "versions_by_order",
        ),
        ("SELECT 1 FROM versions WHERE sha256 = 'x'", "versions_by_blob"),
        ("SELECT 1 FROM tokens t WHERE t.account_id = 1 ORDER BY t.id", "tokens_by_account"),
        (
            "SELECT 1 FROM audit e WHERE e.author = 'a' AND e.name = 'b' ORDER BY e.id DESC",
            "audit_by_package",
        ),
        ("SELECT 1 FROM audit e WHERE e.action = 'yank' ORDER BY e.id DESC", "audit_by_action"),
    ],
)
def test_lists_have_indexes_that_serve_their_order(site: Site, sql: str, index: str) -> None:
    with site.registry.db.read() as tx:
        plan = " ".join(row["detail"] for row in tx.all(f"EXPLAIN QUERY PLAN {sql}"))

    assert index in plan
    assert "TEMP B-TREE" not in plan
