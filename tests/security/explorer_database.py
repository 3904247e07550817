"""A small database for tests of the SQL explorer, and what they ask of it."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kombuse_plugins.database.sandbox import Explorer, Param
from kombuse_sdk.errors import BadRequest

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
SCHEMA = """
PRAGMA journal_mode = wal;
PRAGMA user_version = 7;
CREATE TABLE tickets (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body BLOB);
CREATE TABLE comments (
    id INTEGER PRIMARY KEY, body TEXT DEFAULT 'none',
    ticket_id INTEGER REFERENCES tickets(id) ON DELETE CASCADE
);
CREATE INDEX comments_of_ticket ON comments(ticket_id);
CREATE TABLE sources (
    id INTEGER PRIMARY KEY, url TEXT, Token TEXT UNIQUE, answer TEXT,
    shout TEXT GENERATED ALWAYS AS (upper(token)) VIRTUAL,
    copy TEXT GENERATED ALWAYS AS (token || '') STORED
);
CREATE TABLE secrets_only (token TEXT);
CREATE VIEW source_view AS SELECT id, token AS plain FROM sources;
CREATE VIEW merged AS SELECT * FROM sources NATURAL FULL JOIN secrets_only;
CREATE VIRTUAL TABLE tickets_fts USING fts5(title, content='tickets', content_rowid='id');
CREATE VIRTUAL TABLE sources_fts USING fts5(url, token);
CREATE VIRTUAL TABLE vocabulary USING fts5vocab(sources_fts, row);
INSERT INTO tickets VALUES (1, 'hello world', x'00ff'), (2, 'goodbye', NULL);
INSERT INTO tickets_fts(tickets_fts) VALUES ('rebuild');
INSERT INTO sources (url, token, answer) VALUES ('https://example.org', 'canary', 'canary');
INSERT INTO secrets_only VALUES ('canary');
INSERT INTO sources_fts VALUES ('https://example.org', 'canary');
"""


@contextmanager
def small_database(folder: Path) -> Iterator[Path]:
    """Kept open, as the server does, so that the files beside it stay the same."""
    path = folder / "a #1?.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield path


def fingerprint(database: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in database.parent.iterdir()
        if not path.name.endswith("-shm")  # holds the readers' locks
    }


def refusal(explorer: Explorer, sql: str, params: list[Param] | None = None) -> str:
    with pytest.raises(BadRequest) as caught:
        explorer.query(sql, params or [])
    return caught.value.message
