"""T9: no query of the SQL explorer costs the server its time or its memory."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tests.security.explorer_database import ENDLESS, fingerprint, refusal, small_database

from kombuse_plugins.database.sandbox import Explorer
from kombuse_sdk.errors import BadRequest, Unavailable

COSTLY = [
    f"{ENDLESS} SELECT count(*) FROM n",
    f"{ENDLESS} SELECT x FROM n ORDER BY x DESC",
    f"{ENDLESS} SELECT x, count(*) FROM n GROUP BY x % 1000000 HAVING x < 0",
    f"{ENDLESS} SELECT x FROM n WHERE x < 0",
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION SELECT x + 1 FROM n) SELECT x FROM n WHERE x < 0",
    "WITH RECURSIVE n(x) AS (SELECT 'x' UNION ALL SELECT x || x FROM n) SELECT count(*) FROM n",
    f"{ENDLESS}, big AS MATERIALIZED (SELECT randomblob(100000) FROM n) SELECT count(*) FROM big",
    f"{ENDLESS} SELECT group_concat(hex(randomblob(100000))) FROM n",
    f"{ENDLESS} SELECT json_group_array(x) FROM n",
    "SELECT randomblob(400000000)",
    "SELECT hex(zeroblob(900000000))",
    "SELECT printf('%.*c', 900000000, 'x')",
    "SELECT replace(printf('%1000000s', ''), ' ', printf('%1000000s', ''))",
    "SELECT zeroblob(3000000)",
    "SELECT " + ", ".join(f"length(printf('%4000000s', 'x')) AS c{n}" for n in range(50)),
    "SELECT " + ", ".join(f"printf('%4000000s', 'x') AS c{n}" for n in range(50)),
    "SELECT instr(printf('%1000000s', 'a'), printf('%500000s', 'b'))",
]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Path]:
    with small_database(tmp_path) as path:
        yield path


@pytest.mark.parametrize("sql", COSTLY)
def test_costly_query_ends_by_the_deadline(database: Path, sql: str) -> None:
    before = fingerprint(database)
    with closing(Explorer(database, seconds=0.3)) as explorer:
        explorer.query("SELECT 1")
        started = time.monotonic()

        message = refusal(explorer, sql)

        assert time.monotonic() - started < 0.3 + 0.5  # generous, for a machine under load
        assert message.startswith("Query execution error: ")
    assert fingerprint(database) == before


def test_endless_query_times_out(database: Path) -> None:
    with closing(Explorer(database, seconds=0.2)) as explorer:
        message = refusal(explorer, f"{ENDLESS} SELECT count(*) FROM n")

    assert message == "Query execution error: timed out"


def test_query_works_after_one_had_to_be_killed(database: Path) -> None:
    with closing(Explorer(database, seconds=0.5, processes=1)) as explorer:
        assert refusal(explorer, COSTLY[-1]) == "Query execution error: timed out"

        assert explorer.query("SELECT 1 AS one").rows == [{"one": 1}]


def test_a_hundred_queries_at_once_are_all_answered(database: Path) -> None:
    with closing(Explorer(database)) as explorer, ThreadPoolExecutor(100) as threads:
        results = list(threads.map(lambda n: explorer.query("SELECT ? AS n", [n]), range(100)))

    assert [result.rows for result in results] == [[{"n": n}] for n in range(100)]


def test_a_hundred_endless_queries_at_once_all_end_with_an_error(database: Path) -> None:
    busy = Explorer(database, seconds=0.3)

    def run(_: int) -> str:
        with pytest.raises((BadRequest, Unavailable)) as caught:
            busy.query(f"{ENDLESS} SELECT count(*) FROM n")
        return str(caught.value)

    started = time.monotonic()
    with closing(busy), ThreadPoolExecutor(100) as threads:
        messages = set(threads.map(run, range(100)))

    assert time.monotonic() - started < 3
    assert messages <= {
        "Query execution error: timed out",
        "The database explorer is busy, try again later",
    }
