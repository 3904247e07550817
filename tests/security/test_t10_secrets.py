"""T10: what is kept secret in the database leaves it neither by SQL nor by the log."""

import logging
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_sdk.testing import CallTool
from kombuse_sdk.types import Kernel

CANARY = "canary-5d41402abc4b2a76"
COLUMNS = ("token", "token_hash", "secret", "password", "api_key")


@pytest.fixture
def plugins_under_test(tmp_path: Path) -> list[object]:
    """A plugin that keeps secrets, as sources of packages do."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    columns = ", ".join(f"{name} TEXT" for name in COLUMNS)
    sql = f"""
        CREATE TABLE sources (id INTEGER PRIMARY KEY, {columns}, TOKEN2 TEXT);
        CREATE VIEW source_view AS SELECT * FROM sources;
        CREATE INDEX sources_token ON sources (token);
        INSERT INTO sources VALUES (1, {", ".join([f"'{CANARY}'"] * len(COLUMNS))}, 'shown');
    """
    (folder / "0001_sources.sql").write_text(sql, encoding="utf-8")
    return [fake_plugin("sources", migrations=lambda: folder)]


ATTEMPTS = [
    "SELECT * FROM sources",
    "SELECT * FROM source_view",
    "SELECT token || '' AS t, upper(secret), hex(password), quote(api_key) FROM sources",
    "SELECT s.ToKeN FROM sources s",
    'SELECT "token" FROM main.sources',
    "SELECT json_object('t', token) FROM sources",
    "SELECT json_group_array(secret) FROM sources",
    "SELECT group_concat(token_hash) FROM sources",
    "SELECT (SELECT token FROM sources) AS t",
    "WITH s AS (SELECT token AS t FROM sources) SELECT t FROM s",
    "SELECT token FROM sources UNION SELECT secret FROM sources",
    "SELECT max(token), min(secret) FROM sources",
    "SELECT id FROM sources WHERE token LIKE 'canary%'",
    "SELECT id FROM sources ORDER BY token = 'canary-5d41402abc4b2a76' DESC",
    "SELECT * FROM sources INDEXED BY sources_token WHERE token > ''",
    "SELECT token FROM (SELECT 1 AS token) FULL JOIN sources USING (token)",
    "SELECT * FROM sources NATURAL JOIN (SELECT 'canary-5d41402abc4b2a76' AS token)",
    "SELECT * FROM sqlite_dbpage",
    "SELECT * FROM sqlite_stat4",
    "EXPLAIN SELECT token FROM sources",
    "SELECT sql FROM sqlite_master",
    "PRAGMA table_info(sources)",
]


@pytest.mark.parametrize("sql", ATTEMPTS)
def test_no_query_shows_a_secret(
    client: TestClient, call_tool: CallTool, caplog: pytest.LogCaptureFixture, sql: str
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = client.post("/api/database/query", json={"sql": sql, "limit": 500})
        told = call_tool("query_db", sql=sql)

    for shown in (answer.text, told.text, caplog.text):
        assert CANARY not in shown.replace(sql, "")
    assert answer.status_code < 500


def test_comparing_with_a_guess_tells_nothing(client: TestClient) -> None:
    sql = "SELECT count(*) AS n FROM sources WHERE token = ? OR secret >= ?"

    answer = client.post("/api/database/query", json={"sql": sql, "params": [CANARY, "a"]})

    assert answer.json()["rows"] == [{"n": 0}]


def test_what_is_not_secret_is_shown(client: TestClient) -> None:
    answer = client.post("/api/database/query", json={"sql": "SELECT * FROM sources"})

    (row,) = answer.json()["rows"]
    assert row == dict.fromkeys(COLUMNS) | {"id": 1, "TOKEN2": "shown"}


def test_a_walk_over_every_table_shows_no_secret(client: TestClient, kernel: Kernel) -> None:
    tables = [item["name"] for item in client.get("/api/database/tables").json()["tables"]]
    assert "sources" in tables

    for name in tables:
        answer = client.post("/api/database/query", json={"sql": f'SELECT * FROM "{name}"'})
        assert CANARY not in answer.text
