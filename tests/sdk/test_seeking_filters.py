"""Filters that choose their condition by how many rows may pass."""

from typing import Any

import pytest

from kombuse_sdk.sql import Joins, Where
from kombuse_sdk.types import Filter

LOOKED_AT = Filter(
    param="a",
    type=int,
    sql="looked at :a",
    seek="found by :a",
    at_most="(SELECT bound WHERE :a)",
    convert=str,
)
PLAIN = Filter(param="b", type=int, sql="b = :b")


class FakeTx:
    """Answers each question for a bound with the same number."""

    def __init__(self, bound: int | None) -> None:
        self.bound = bound
        self.asked: list[Any] = []

    def value(self, sql: str, params: Any) -> int | None:
        self.asked.append((sql, params))
        return self.bound


@pytest.mark.parametrize(
    ("bound", "condition", "is_narrow"),
    [
        (None, "found by :a", True),
        (0, "found by :a", True),
        (1000, "found by :a", True),
        (1001, "looked at :a", False),
    ],
)
def test_few_rows_are_found_by_an_index(bound: int | None, condition: str, is_narrow: bool) -> None:
    tx: Any = FakeTx(bound)
    where = Where()

    assert Joins("row", (), [LOOKED_AT]).apply(where, {"a": 5}, tx) is is_narrow

    assert (where.conditions, where.params) == ([condition], {"a": "5"})
    assert tx.asked == [("SELECT (SELECT bound WHERE :a)", {"a": "5"})]


def test_without_a_transaction_every_row_is_looked_at() -> None:
    where = Where()

    assert not Joins("row", (), [LOOKED_AT]).apply(where, {"a": 5})
    assert where.conditions == ["looked at :a"]


def test_a_filter_that_says_nothing_may_have_an_index() -> None:
    joins = Joins("row", (), [LOOKED_AT, PLAIN])
    tx: Any = FakeTx(5000)

    assert joins.apply(Where(), {"a": 5, "b": 1}, tx)
    assert not joins.apply(Where(), {}, tx)
