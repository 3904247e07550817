"""T8: the SQL explorer reads only, and shows no secrets."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.security.explorer_database import ENDLESS, fingerprint, refusal, small_database

from kombuse_plugins.database.sandbox import Explorer, Param
from kombuse_sdk.errors import BadRequest, Unavailable

NOT_READ_ONLY = (
    "Only read-only queries are allowed. Write operations"
    " (INSERT, UPDATE, DELETE, DROP, ALTER, etc.) are rejected."
)
DENIED = frozenset({("*", "token"), ("sources", "answer")})

WRITES = [
    "INSERT INTO tickets VALUES (9, 'x', NULL)",
    "INSERT INTO tickets VALUES (9, 'x', NULL) RETURNING id",
    "REPLACE INTO tickets VALUES (1, 'x', NULL)",
    "UPDATE tickets SET title = 'x'",
    "UPDATE tickets SET title = 'x' RETURNING *",
    "DELETE FROM tickets",
    "WITH gone AS (SELECT 1) DELETE FROM tickets WHERE id IN gone",
    "WITH x AS (SELECT 1) INSERT INTO tickets SELECT 9, 'x', NULL FROM x RETURNING id",
    "/* SELECT */ DELETE FROM tickets",
    "-- SELECT\nDELETE FROM tickets",
    "EXPLAIN DELETE FROM tickets",
    "EXPLAIN QUERY PLAN UPDATE tickets SET title = 'x'",
    "INSERT INTO sqlite_master VALUES ('table', 'x', 'x', 0, '')",
    "CREATE TABLE x (a)",
    "CREATE TABLE x AS SELECT * FROM tickets",
    "CREATE TEMP TABLE x (a)",
    "CREATE TEMP VIEW tickets AS SELECT 1",
    "CREATE TEMP TRIGGER x AFTER DELETE ON tickets BEGIN SELECT 1; END",
    "CREATE VIEW x AS SELECT 1",
    "CREATE INDEX x ON tickets(title)",
    "CREATE TRIGGER x AFTER DELETE ON tickets BEGIN DELETE FROM comments; END",
    "CREATE VIRTUAL TABLE x USING fts5(a)",
    "CREATE VIRTUAL TABLE temp.x USING fts5vocab(main, tickets_fts, row)",
    "DROP TABLE tickets",
    "DROP VIEW source_view",
    "ALTER TABLE tickets ADD COLUMN x",
    "ALTER TABLE tickets RENAME TO x",
    "INSERT INTO tickets_fts(tickets_fts) VALUES ('delete-all')",
    "INSERT INTO tickets_fts(tickets_fts) VALUES ('optimize')",
    "VACUUM",
    "VACUUM INTO 'copy.db'",
    "REINDEX",
    "ANALYZE",
    "ATTACH 'other.db' AS other",
    "ATTACH ':memory:' AS other",
    "ATTACH 'file:other.db?mode=rwc' AS other",
    "DETACH main",
    "BEGIN",
    "BEGIN IMMEDIATE",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT x",
    "RELEASE x",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA foreign_keys(0)",
    "PRAGMA query_only = 0",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA user_version = 9",
    "PRAGMA schema_version = 9",
    "PRAGMA writable_schema = ON",
    "PRAGMA case_sensitive_like = 1",
    "PRAGMA temp_store = FILE",
    "PRAGMA temp_store_directory = '/tmp'",
    "PRAGMA mmap_size = 1000000000",
    "PRAGMA hard_heap_limit = 1",
    "PRAGMA cache_size = -1000000",
    "PRAGMA optimize",
    "PRAGMA incremental_vacuum",
    "PRAGMA shrink_memory",
    "PRAGMA database_list",
    "EXPLAIN PRAGMA foreign_keys = OFF",
    "SELECT * FROM pragma_database_list",
    "SELECT * FROM sqlite_stmt",
]
UNAUTHORIZED = [
    "SELECT load_extension('x')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts3_tokenizer('simple', x'0000000000000000')",
    "SELECT * FROM tickets WHERE load_extension('x')",
    "SELECT sources_fts FROM sources_fts('canary')",
    "SELECT snippet(sources_fts, 1, '', '', '', 9) FROM sources_fts",
    "SELECT * FROM sources_fts_content",
    "SELECT * FROM sources_fts_data",
    "SELECT * FROM vocabulary",
    "SELECT * FROM merged",
    "SELECT count(*) FROM sources_fts WHERE sources_fts MATCH 'canary'",
    "SELECT token FROM (SELECT 1 AS token) FULL JOIN sources USING (token)",
    "SELECT * FROM sources NATURAL FULL JOIN secrets_only",
    "SELECT token FROM sources a LEFT/**/RIGHT JOIN (SELECT 1 AS token) USING ([token])",
    "SELECT 1 FROM sources, (SELECT 'canary' AS token) USING (token)",
]
MALFORMED = [
    "",
    "  ;; ",
    "-- nothing",
    "/* nothing",
    "SELEC 1",
    "SELECT 1; DROP TABLE tickets",
    "SELECT 1; SELECT 2",
    "SELECT * FROM nowhere",
    "SELECT * FROM sqlite_dbpage",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('x', 'y')",
    "SELECT 'a\0b'",
    "SELECT '\ud800'",
    "SELECT '" + "x" * 200_000 + "'",
    "SELECT " + "(" * 600 + "1" + ")" * 600,
]
ALLOWED: list[tuple[str, list[Param], object]] = [
    ("SELECT title FROM tickets WHERE id = ?", [1], {"title": "hello world"}),
    ("VALUES (1)", [], {"column1": 1}),
    ("WITH a(x) AS (SELECT 1) SELECT count(*) AS n FROM a", [], {"n": 1}),
    ("SELECT 1 AS a, 2 AS a", [], {"a": 2}),
    ("SELECT 9007199254740993 AS n", [], {"n": 9007199254740993}),
    ("SELECT 9e999 AS a, -9e999 AS b", [], {"a": None, "b": None}),
    ("SELECT ? AS nan", [float("nan")], {"nan": None}),
    ("SELECT body FROM tickets", [], {"body": {"type": "Buffer", "data": [0, 255]}}),
    ("SELECT cast(x'ff' AS text) AS t", [], {"t": "\ufffd"}),
    ("SELECT ? AS a, ? AS b, ? AS c", ["é", 1.5, None], {"a": "é", "b": 1.5, "c": None}),
    ("SELECT title FROM tickets_fts WHERE tickets_fts MATCH 'hello'", [], {"title": "hello world"}),
    ("SELECT highlight(tickets_fts, 0, '<', '>') AS h FROM tickets_fts('world') ORDER BY rank",
     [], {"h": "hello <world>"}),
    ("SELECT count(*) AS n FROM tickets_fts_docsize", [], {"n": 2}),
    ("SELECT name FROM sqlite_master WHERE name = 'tickets'", [], {"name": "tickets"}),
    ("SELECT value FROM json_each('[5]')", [], {"value": 5}),
    ("SELECT json_extract('{\"a\":1}', '$.a') AS a", [], {"a": 1}),
    ("PRAGMA user_version", [], {"user_version": 7}),
    ("PRAGMA foreign_keys", [], {"foreign_keys": 1}),
    ("PRAGMA integrity_check", [], {"integrity_check": "ok"}),
    ("SELECT name FROM pragma_table_info('tickets') WHERE pk", [], {"name": "id"}),
    ("SELECT count(*) > 0 AS n FROM dbstat", [], {"n": 1}),
    ("/**/" * 1000 + "SELECT 1 AS one", [], {"one": 1}),
]  # fmt: skip
SECRET_READS = [
    "SELECT * FROM sources",
    "SELECT token FROM sources",
    'SELECT "TOKEN", answer FROM main.sources AS s',
    "SELECT plain FROM source_view",
    "SELECT * FROM (SELECT token AS x FROM sources)",
    "WITH x AS MATERIALIZED (SELECT * FROM sources) SELECT * FROM x",
    "SELECT max(token), min(token), group_concat(token) FROM sources",
    "SELECT group_concat(token) OVER () FROM sources",
    "SELECT shout, copy FROM sources",
    "SELECT (SELECT token FROM sources), coalesce(token, 'none') FROM sources",
    "SELECT value FROM sources, json_each(json_array(token))",
    "SELECT * FROM tickets LEFT JOIN sources ON 1 UNION ALL SELECT token, 1, 1, 1, 1, 1, 1, 1, 1"
    " FROM secrets_only",
    "SELECT hex(token) FROM secrets_only ORDER BY token",
    "SELECT json_group_array(token) FROM secrets_only",
]
GUESSES = [
    "SELECT 1 FROM sources WHERE token = 'canary'",
    "SELECT 1 FROM sources WHERE shout = 'CANARY' OR copy = 'canary' OR answer = 'canary'",
    "SELECT 1 FROM sources WHERE (token, 1) = ('canary', 1)",
    "SELECT 1 WHERE 'canary' IN (SELECT token FROM sources)",
    "SELECT 1 WHERE 'canary' IN secrets_only",
    "SELECT 1 FROM sources a JOIN secrets_only b ON a.token = b.token",
    "SELECT 1 FROM sources WHERE token LIKE 'c%'",
    "SELECT 1 FROM sources INDEXED BY sqlite_autoindex_sources_1 WHERE token > 'b'",
]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    with small_database(tmp_path) as path:
        yield path


@pytest.fixture
def explorer(database: Path) -> Iterator[Explorer]:
    with closing(Explorer(database, denied_columns=DENIED)) as opened:
        yield opened


@pytest.mark.parametrize("sql", WRITES)
def test_statement_that_does_not_read_is_refused_without_a_trace(
    database: Path, explorer: Explorer, sql: str
) -> None:
    before = fingerprint(database)

    assert refusal(explorer, sql) == NOT_READ_ONLY

    assert fingerprint(database) == before
    assert explorer.query("SELECT count(*) AS n FROM tickets").rows == [{"n": 2}]


@pytest.mark.parametrize("sql", UNAUTHORIZED)
def test_forbidden_function_or_table_is_not_authorized(
    database: Path, explorer: Explorer, sql: str
) -> None:
    before = fingerprint(database)

    message = refusal(explorer, sql)

    assert message.startswith("Query execution error: ")
    assert "not authorized" in message or "prohibited" in message
    assert fingerprint(database) == before


@pytest.mark.parametrize("sql", MALFORMED)
def test_text_that_is_not_one_statement_is_a_syntax_error(explorer: Explorer, sql: str) -> None:
    assert refusal(explorer, sql).startswith("SQL syntax error: ")


@pytest.mark.parametrize(("sql", "params", "row"), ALLOWED)
def test_reading_statement_answers_its_rows(
    explorer: Explorer, sql: str, params: list[Param], row: object
) -> None:
    assert explorer.query(sql, params, 1).rows == [row]


@pytest.mark.parametrize("prefix", ["", "-- a\n/* b */ "])
def test_query_plan_can_be_explained(explorer: Explorer, prefix: str) -> None:
    rows = explorer.query(f"{prefix}EXPLAIN QUERY PLAN SELECT * FROM tickets").rows

    assert [row["detail"].split()[-1] for row in rows] == ["tickets"]


@pytest.mark.parametrize("sql", SECRET_READS)
def test_secret_column_reads_as_null_on_every_way(explorer: Explorer, sql: str) -> None:
    result = explorer.query(sql)

    assert result.rows
    assert "canary" not in str(result.rows).lower()
    assert "63616E617279" not in str(result.rows)


@pytest.mark.parametrize("sql", GUESSES)
def test_secret_column_cannot_be_guessed_by_comparing(explorer: Explorer, sql: str) -> None:
    assert explorer.query(sql).rows == []


def test_no_table_shows_a_secret_to_select_star(explorer: Explorer) -> None:
    for table in explorer.tables():
        try:
            rows = explorer.query(f"SELECT * FROM {table['name']}").rows
        except BadRequest:
            continue
        assert "canary" not in str(rows).lower()
        assert "99, 97, 110, 97, 114, 121" not in str(rows)


def test_joins_by_column_name_work_where_there_is_no_secret(database: Path) -> None:
    with closing(Explorer(database, denied_columns=frozenset())) as explorer:
        sql = "SELECT title FROM tickets JOIN (SELECT 1 AS id) USING (id)"
        assert explorer.query(sql).rows == [{"title": "hello world"}]


def test_refused_pragma_changes_no_setting(explorer: Explorer) -> None:
    refusal(explorer, "PRAGMA foreign_keys = OFF")

    assert explorer.query("PRAGMA foreign_keys").rows == [{"foreign_keys": 1}]


def test_rows_end_at_the_limit_and_the_statement_is_echoed_trimmed(explorer: Explorer) -> None:
    result = explorer.query(f"  {ENDLESS} SELECT x FROM n ; ;\n", limit=3)

    assert result.rows == [{"x": 1}, {"x": 2}, {"x": 3}]
    assert (result.count, result.sql) == (3, f"{ENDLESS} SELECT x FROM n")


@pytest.mark.parametrize("params", [[], [1, 2], [2**70], ["x" * 5_000_000]])
def test_parameters_that_do_not_fit_are_an_execution_error(
    explorer: Explorer, params: list[Param]
) -> None:
    assert refusal(explorer, "SELECT ?", params).startswith("Query execution error: ")


def test_answer_beyond_the_cap_is_too_large(explorer: Explorer) -> None:
    sql = f"{ENDLESS} SELECT hex(zeroblob(50000)) FROM n"

    assert refusal(explorer, sql) == "Query execution error: result too large"


def test_error_while_running_is_an_execution_error(explorer: Explorer) -> None:
    for sql in ("SELECT json('{')", "SELECT * FROM tickets_fts('\"')", "SELECT abs(-1 << 63)"):
        assert refusal(explorer, sql).startswith("Query execution error: ")


def test_table_made_by_another_connection_is_seen_with_its_secrets_covered(
    database: Path, explorer: Explorer
) -> None:
    explorer.query("SELECT 1")
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            "CREATE TABLE late (id, token); INSERT INTO late VALUES (1, 'canary');"
            "CREATE VIRTUAL TABLE late_fts USING fts5(body); INSERT INTO late_fts VALUES ('new');"
        )

    assert explorer.query("SELECT * FROM late").rows == [{"id": 1, "token": None}]
    assert explorer.query("SELECT * FROM late_fts('new')").rows == [{"body": "new"}]


def test_no_snapshot_is_held_between_queries(database: Path, explorer: Explorer) -> None:
    explorer.query("SELECT count(*) FROM tickets")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("INSERT INTO tickets VALUES (3, 'later', NULL)")
        connection.commit()
        busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    assert not busy
    assert explorer.query("SELECT count(*) AS n FROM tickets").rows == [{"n": 3}]


def test_tables_are_listed_by_type_and_name_without_those_of_sqlite(explorer: Explorer) -> None:
    tables = explorer.tables()

    assert tables == sorted(tables, key=lambda table: (table["type"], table["name"]))
    assert {"name": "tickets_fts_data", "type": "table"} in tables
    assert {"name": "source_view", "type": "view"} in tables
    assert not [table for table in tables if table["name"].startswith("sqlite_")]


def test_description_names_columns_foreign_keys_and_indexes(explorer: Explorer) -> None:
    description = explorer.describe("comments")

    assert description is not None
    assert description["table"] == "comments"
    assert description["columns"][1] == {
        "cid": 1, "name": "body", "type": "TEXT", "notnull": 0, "dflt_value": "'none'", "pk": 0
    }  # fmt: skip
    assert description["foreign_keys"] == [
        {"id": 0, "seq": 0, "table": "tickets", "from": "ticket_id", "to": "id",
         "on_update": "NO ACTION", "on_delete": "CASCADE", "match": "NONE"}
    ]  # fmt: skip
    assert description["indexes"] == [
        {"seq": 0, "name": "comments_of_ticket", "unique": 0, "origin": "c", "partial": 0}
    ]


@pytest.mark.parametrize("name", ['we"ird', "it's", "Größe ✓", "a b;--", "[x]"])
def test_table_with_an_odd_name_is_described(database: Path, explorer: Explorer, name: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute('CREATE TABLE "{}" (a)'.format(name.replace('"', '""')))

    description = explorer.describe(name)

    assert description is not None
    assert [column["name"] for column in description["columns"]] == ["a"]


@pytest.mark.parametrize(
    "name", ["", "Tickets", "nowhere", "tickets'); DROP TABLE tickets;--", "\0"]
)
def test_unknown_table_has_no_description(explorer: Explorer, name: str) -> None:
    assert explorer.describe(name) is None


def test_missing_database_is_unavailable_and_not_created(tmp_path: Path) -> None:
    with closing(Explorer(tmp_path / "none.db")) as explorer, pytest.raises(Unavailable):
        explorer.query("SELECT 1")

    assert list(tmp_path.iterdir()) == []


def test_closing_ends_a_running_query_and_refuses_later_ones(database: Path) -> None:
    explorer = Explorer(database, seconds=30)
    messages: list[str] = []

    def run() -> None:
        with pytest.raises(Unavailable) as caught:
            explorer.query(f"{ENDLESS} SELECT count(*) FROM n")
        messages.append(caught.value.message)

    thread = threading.Thread(target=run)
    thread.start()
    explorer.close()
    thread.join(timeout=10)

    assert messages in (["The query was stopped"], ["The database explorer is closed"])
    with pytest.raises(Unavailable):
        explorer.query("SELECT 1")


WORDS = [
    "SELECT",
    "*",
    "FROM",
    "tickets",
    "sources",
    "token",
    "WITH",
    "JOIN",
    "USING",
    "(",
    ")",
    ",",
]
WORDS += ["NATURAL", "FULL", "EXPLAIN", "PRAGMA", "=", "DELETE", "INSERT", "INTO", "--", "/*", "1"]
WORDS += ["'x'", ";", "?", "tickets_fts", "MATCH", "UNION", "ALL", "ORDER BY", "COMMIT", "\0", '"']


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sql=st.text() | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_text_is_answered_or_refused_and_changes_nothing(
    database: Path, explorer: Explorer, sql: str
) -> None:
    before = fingerprint(database)

    try:
        rows = explorer.query(sql).rows
    except BadRequest:
        rows = []

    assert "canary" not in str(rows)
    assert fingerprint(database) == before
