"""Conditions of triggers, over payloads of any shape."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombuse_plugins.triggers.conditions import equal, hold

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "x", "1", "true"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)
NOT_LISTS = VALUES.filter(lambda value: not isinstance(value, list))
KEYS = st.sampled_from(["a", "b", "a.b", ""])
PAYLOADS = st.dictionaries(KEYS, VALUES)


@pytest.mark.parametrize(
    ("conditions", "payload", "expected"),
    [
        (None, {}, True),
        ({}, {"k": 1}, True),
        ({"k": 4}, {"k": 4}, True),
        ({"k": 4}, {"k": "4"}, False),
        ({"k": True}, {"k": 1}, False),
        ({"k": 0}, {"k": False}, False),
        ({"k": "x"}, {"k": "X"}, False),
        ({"k": None}, {"k": None}, True),
        ({"k": None}, {}, False),
        ({"k": 1}, {"k": 1.0}, True),
        ({"changes": "status"}, {"changes": ["title", "status"]}, True),
        ({"changes": "status"}, {"changes": []}, False),
        ({"k": ["a"]}, {"k": ["a"]}, False),
        ({"k": ["a", "b"]}, {"k": "b"}, True),
        ({"k": ["a", "b"]}, {"k": "c"}, False),
        ({"k": [None]}, {}, False),
        ({"k": [None]}, {"k": None}, True),
        ({"k": []}, {"k": 1}, False),
        ({"k": {"a": 1}}, {"k": {"a": 1}}, True),
        ({"k": {"a": 1}}, {"k": {"a": True}}, False),
        ({"k": {"a": 1}}, {"k": [{"a": 1}]}, True),
        ({"a.b": 1}, {"a.b": 1}, True),
        ({"a.b": 1}, {"a": {"b": 1}}, False),
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, True),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, False),
        ({"exclude_k": 1}, {"k": 1}, False),
        ({"exclude_k": 1}, {"k": 2}, True),
        ({"exclude_k": 1}, {}, True),
        ({"exclude_k": None}, {}, True),
        ({"exclude_k": None}, {"k": None}, False),
        ({"exclude_k": ["a", "b"]}, {"k": "b"}, False),
        ({"exclude_k": ["a", "b"]}, {"k": "c"}, True),
        ({"exclude_k": "a"}, {"k": ["a", "b"]}, False),
        ({"exclude_k": "c"}, {"k": ["a", "b"]}, True),
        ({"exclude_k": ["c", "b"]}, {"k": ["a", "b"]}, False),
        ({"exclude_k": []}, {"k": "a"}, True),
        ({"exclude_k": {"a": 1}}, {"k": {"a": 1}}, False),
        ({"exclude_k": 1}, {"exclude_k": 1}, True),
    ],
)
def test_conditions_hold_for_payloads_that_meet_them(
    conditions: Any, payload: Any, expected: bool
) -> None:
    assert hold(conditions, payload) is expected


@given(KEYS, NOT_LISTS, PAYLOADS)
def test_a_value_and_its_exclusion_are_opposites_where_the_key_is_there(
    key: str, wanted: Any, payload: dict[str, Any]
) -> None:
    included, excluded = hold({key: wanted}, payload), hold({f"exclude_{key}": wanted}, payload)

    assert included is not excluded if key in payload else (not included and excluded)


@given(PAYLOADS)
def test_a_payload_meets_its_own_values_unless_they_are_lists(payload: dict[str, Any]) -> None:
    conditions = {key: value for key, value in payload.items() if not isinstance(value, list)}

    assert hold(conditions, payload)


@given(KEYS, st.lists(NOT_LISTS, max_size=4), NOT_LISTS)
def test_one_of_several_is_the_same_as_any_of_them_alone(
    key: str, wanted: list[Any], found: Any
) -> None:
    payload = {key: found}

    assert hold({key: wanted}, payload) is any(hold({key: one}, payload) for one in wanted)


@given(st.dictionaries(KEYS, VALUES), PAYLOADS)
def test_all_conditions_together_are_each_of_them(
    conditions: dict[str, Any], payload: dict[str, Any]
) -> None:
    each = all(hold({key: value}, payload) for key, value in conditions.items())

    assert hold(conditions, payload) is each


@given(VALUES, VALUES)
def test_equality_is_symmetric_and_knows_its_own(one: Any, other: Any) -> None:
    assert equal(one, one)
    assert equal(one, other) is equal(other, one)
