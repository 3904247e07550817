"""The explorer over REST and MCP."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_plugins.database.sandbox import Explorer, QueryResult
from kombuse_plugins.database.service import Queries
from kombuse_sdk.errors import Unavailable
from kombuse_sdk.processes import ServerProcess
from kombuse_sdk.testing import CallTool
from kombuse_sdk.types import Kernel

SERIES = (
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 700) SELECT x FROM c"
)
ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"
NOT_READ_ONLY = (
    "Only read-only queries are allowed. Write operations"
    " (INSERT, UPDATE, DELETE, DROP, ALTER, etc.) are rejected."
)


def query(client: TestClient, sql: Any, **values: Any) -> Any:
    return client.post("/api/database/query", json={"sql": sql, **values})


def rows(client: TestClient, sql: str, **values: Any) -> Any:
    answer = query(client, sql, **values)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def test_a_query_answers_its_rows(client: TestClient) -> None:
    answer = query(client, " SELECT id FROM profiles WHERE id = ?; ", params=["user-1"])

    assert answer.json() == {
        "rows": [{"id": "user-1"}],
        "count": 1,
        "sql": "SELECT id FROM profiles WHERE id = ?",
    }


def test_parameters_are_text_numbers_or_null(client: TestClient) -> None:
    params = ["x", 2, 2.5, None, 2**53 + 1]

    (row,) = rows(client, "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e", params=params)

    assert list(row.values()) == params


@pytest.mark.parametrize("param", [True, [], {}])
def test_other_parameters_are_refused_by_their_place(client: TestClient, param: Any) -> None:
    answer = query(client, "SELECT ?, ?", params=["x", param])

    assert answer.status_code == 400
    assert [found["path"] for found in answer.json()["error"]] == [["params", 1]]


@pytest.mark.parametrize(
    ("limit", "count"), [({}, 100), ({"limit": 7}, 7), ({"limit": "500"}, 500)]
)
def test_rows_are_cut_at_the_limit(client: TestClient, limit: dict[str, Any], count: int) -> None:
    assert len(rows(client, SERIES, **limit)) == count


@pytest.mark.parametrize("limit", [0, -1, 501, "x", 1.5, None])
def test_a_limit_out_of_bounds_is_refused(client: TestClient, limit: Any) -> None:
    answer = query(client, SERIES, limit=limit)

    assert answer.status_code == 400
    assert [found["path"] for found in answer.json()["error"]] == [["limit"]]


@pytest.mark.parametrize("sql", ["", 5, None, "SELECT " + " " * 100_000])
def test_what_is_no_sql_is_refused(client: TestClient, sql: Any) -> None:
    answer = query(client, sql)

    assert answer.status_code == 400
    assert [found["path"] for found in answer.json()["error"]] == [["sql"]]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DELETE FROM profiles", NOT_READ_ONLY),
        ("PRAGMA foreign_keys = OFF", NOT_READ_ONLY),
        ("SELEC 1", "SQL syntax error: "),
        ("SELECT 1; DROP TABLE profiles", "SQL syntax error: "),
        ("SELECT ?, ?", "Query execution error: "),
    ],
)
def test_what_may_not_run_is_explained(client: TestClient, sql: str, message: str) -> None:
    answer = query(client, sql, params=["x"] if "?" in sql else [])

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(message)


def test_tables_are_listed_by_type_and_name(client: TestClient) -> None:
    tables = client.get("/api/database/tables").json()["tables"]

    assert {"name": "profiles", "type": "table"} in tables
    assert not any(table["name"].startswith("sqlite_") for table in tables)
    assert tables == sorted(tables, key=lambda table: (table["type"], table["name"]))


def test_a_query_sees_what_was_just_written(client: TestClient) -> None:
    made = client.post("/api/profiles", json={"type": "user", "name": "Ann"}).json()

    assert rows(client, "SELECT name FROM profiles WHERE id = ?", params=[made["id"]]) == [
        {"name": "Ann"}
    ]


def test_agents_query_at_most_a_hundred_rows(call_tool: CallTool) -> None:
    answer = call_tool("query_db", sql=f"{SERIES} LIMIT 500;")

    assert answer.data["count"] == 100
    assert answer.data["sql"] == f"{SERIES} LIMIT 500"
    assert answer.structured == answer.data


def test_agents_give_parameters(call_tool: CallTool) -> None:
    answer = call_tool("query_db", sql="SELECT ? AS a, ? AS b", params=["x", None])

    assert answer.data["rows"] == [{"a": "x", "b": None}]


def test_agents_cannot_write(call_tool: CallTool) -> None:
    answer = call_tool("query_db", sql="UPDATE profiles SET name = 'x'")

    assert answer.is_error
    assert answer.data == {"error": NOT_READ_ONLY}


def test_agents_list_and_describe_tables(call_tool: CallTool, client: TestClient) -> None:
    assert call_tool("list_tables").data == client.get("/api/database/tables").json()

    table = call_tool("describe_table", table_name="profiles").data

    assert table["table"] == "profiles"
    assert {"name", "type", "pk", "notnull", "cid", "dflt_value"} == set(table["columns"][0])
    assert list(table) == ["table", "columns", "foreign_keys", "indexes"]


def test_an_unknown_table_is_named(call_tool: CallTool) -> None:
    answer = call_tool("describe_table", table_name="Profiles?")

    assert answer.is_error
    assert answer.data == {"error": "Table 'Profiles?' not found"}


def test_an_endless_query_keeps_nobody_waiting(server: ServerProcess) -> None:
    http = server.http
    http.post("/api/database/query", json={"sql": "SELECT 1"})
    with ThreadPoolExecutor(1) as threads:
        endless = threads.submit(http.post, "/api/database/query", json={"sql": ENDLESS})
        began = perf_counter()
        for _ in range(20):
            assert http.get("/api/profiles").status_code == 200
        assert perf_counter() - began < 3
        assert not endless.done()
        answer = endless.result(timeout=20)

    assert answer.status_code == 400
    assert answer.json() == {"error": "Query execution error: timed out"}


class Blocked(Explorer):
    """An explorer whose queries run until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def query(self, sql: str, params: Any = (), limit: int = 100) -> QueryResult:
        self.go.wait(10)
        return QueryResult(rows=[], count=0, sql=sql)

    def close(self) -> None:
        self.go.set()


def test_too_many_queries_at_once_are_refused_and_room_comes_back() -> None:
    explorer = Blocked()
    queries = Queries(explorer)

    async def crowd() -> list[Any]:
        calls = [asyncio.ensure_future(queries.query("SELECT 1", [], 1)) for _ in range(9)]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        explorer.go.set()
        await asyncio.gather(*calls, return_exceptions=True)
        assert (await queries.query("SELECT 2", [], 1)).sql == "SELECT 2"
        return [call.exception() for call in done]

    refused = asyncio.run(crowd())
    queries.close()

    assert [type(error) for error in refused] == [Unavailable]


def test_the_explorer_ends_with_the_kernel(kernel: Kernel, client: TestClient) -> None:
    assert rows(client, "SELECT 1 AS one") == [{"one": 1}]
    kernel.services.get(Queries).close()

    assert query(client, "SELECT 1").status_code == 503
