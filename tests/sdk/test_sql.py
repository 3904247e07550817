"""JSON and conditions made for SQLite."""

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombuse_sdk import Column, Filter
from kombuse_sdk.schemas import Output
from kombuse_sdk.sql import Joins, JsonText, Where, json_object, like, object_list, placeholders

ROWS = """
    CREATE TABLE rows (id INTEGER PRIMARY KEY, name TEXT, is_on INTEGER, maybe INTEGER);
    INSERT INTO rows VALUES (1, 'a "quote"', 1, NULL), (2, NULL, 0, 1);
"""


class Row(Output):
    id: int
    name: str | None
    is_on: bool
    maybe: bool | None


@pytest.fixture
def database() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:")
    made.executescript(ROWS)
    return made


def rows(database: sqlite3.Connection, sql: str, params: Any = ()) -> list[Any]:
    found = [JsonText(row[0].encode()).load() for row in database.execute(sql, params)]
    database.close()
    return found


def test_a_row_becomes_the_object_of_its_model(database: sqlite3.Connection) -> None:
    sql = f"SELECT {json_object(Row, 'r', name='upper(r.name)')} FROM rows r ORDER BY id"

    assert rows(database, sql) == [
        {"id": 1, "name": 'A "QUOTE"', "is_on": True, "maybe": False},
        {"id": 2, "name": None, "is_on": False, "maybe": True},
    ]


@pytest.mark.parametrize(("where", "ids"), [("", [2, 1]), ("WHERE id > 9", [])])
def test_a_list_of_objects_keeps_its_order_and_may_be_empty(
    database: sqlite3.Connection, where: str, ids: list[int]
) -> None:
    source = f"(SELECT * FROM rows {where} ORDER BY id DESC) r"

    (listed,) = rows(database, f"SELECT {object_list(Row, 'r', source)}")

    assert [item["id"] for item in listed] == ids


COLUMNS = (
    Column(name="size", sql="length(r.name)", type=int | None),
    Column(name="is_mine", sql="iif(r.id = :viewer, 'true', 'false')", type=bool, param="viewer"),
)
FILTERS = (
    Filter(param="shortest", type=int, sql="length(r.name) >= :shortest", convert=lambda n: n + 1),
    Filter(param="named", type=bool, sql="(r.name IS NOT NULL) = :named"),
)


def test_columns_are_added_to_each_object(database: sqlite3.Connection) -> None:
    joins = Joins("row", COLUMNS[:1], ())
    base = "json_object('id', r.id, 'odd', '}}')"

    sql = f"SELECT {joins.select(base)} FROM rows r WHERE id = 1"

    assert rows(database, sql) == [{"id": 1, "odd": "}}", "size": 9}]


def test_a_column_with_a_parameter_needs_it(database: sqlite3.Connection) -> None:
    joins = Joins("row", COLUMNS, FILTERS)
    base = "json_object('id', r.id)"
    given_viewer = {"viewer": 1}
    where = Where()
    joins.apply(where, given_viewer)

    assert "is_mine" not in joins.select(base)
    assert "is_mine" not in joins.select(base, {"viewer": None})
    sql = f"SELECT {joins.select(base, given_viewer)} FROM rows r {where.sql} LIMIT 1"
    assert rows(database, sql, where.params) == [{"id": 1, "size": 9, "is_mine": True}]


def test_filters_become_conditions_with_converted_values() -> None:
    where = Where()

    Joins("row", (), FILTERS).apply(where, {"shortest": 2, "named": False, "other": 1})

    assert where.sql == " WHERE length(r.name) >= :shortest AND (r.name IS NOT NULL) = :named"
    assert where.params == {"shortest": 3, "named": False}


def test_conditions_are_left_out_for_none_and_kept_for_false_and_zero() -> None:
    where = Where()
    assert where.sql == ""

    where.equal("a", a=None)
    where.equal("b", b=0)
    where.equal("c", c=False)
    where.add("d")

    assert where.sql == " WHERE b = :b AND c = :c AND d"
    assert where.params == {"b": 0, "c": False}


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"])), st.text(alphabet="ab%_\\"))
def test_like_finds_its_text_literally(around: str, text: str) -> None:
    database = sqlite3.connect(":memory:")
    sql = r"SELECT ? LIKE ? ESCAPE '\'"

    (inside,) = database.execute(sql, (f"{around}{text}{around}", like(text))).fetchone()
    (outside,) = database.execute(sql, ("x" * 8, like(text))).fetchone()
    database.close()

    assert inside == 1
    assert outside == (1 if text == "" else 0)


def test_there_are_as_many_placeholders_as_values() -> None:
    assert placeholders([1, 2, 3]) == "?, ?, ?"
    assert placeholders([]) == ""
