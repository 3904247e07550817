"""Conditions and invokers with names in place of ids."""

from typing import Any

import pytest

from kombuse_plugins.triggers.portable import (
    conditions_in,
    conditions_out,
    invoker_in,
    invoker_out,
)

LABELS = {"Bug": (1, "bug"), 'Größe: "XL"': (15, None)}
NAMES = {1: "Bug", 15: 'Größe: "XL"'}


@pytest.mark.parametrize(
    ("packaged", "stored"),
    [
        (None, None),
        ({}, {}),
        ({"label_name": "Bug"}, {"label_id": 1, "label_slug": "bug"}),
        ({"label_name": "Bug", "label_slug": "x"}, {"label_id": 1, "label_slug": "bug"}),
        ({"label_slug": "x", "label_name": "Bug"}, {"label_id": 1, "label_slug": "bug"}),
        ({"label_name": 'Größe: "XL"'}, {"label_id": 15}),
        ({"label_name": ["Bug", 'Größe: "XL"']}, {"label_id": [1, 15]}),
        ({"exclude_label_name": "Bug"}, {"exclude_label_id": 1}),
        ({"label_name": 5}, {"label_name": 5}),
        ({"label_name": []}, {"label_name": []}),
        ({"a": "$SELF", "b": ["x", "$SELF"]}, {"a": "me", "b": ["x", "me"]}),
        ({"a": {"b": "$SELF"}, "c": "not $SELF"}, {"a": {"b": "$SELF"}, "c": "not $SELF"}),
    ],
)
def test_names_become_ids(packaged: Any, stored: Any) -> None:
    found = conditions_in(packaged, "me", LABELS)

    assert (found.conditions, found.unknown) == (stored, ())


def test_names_that_are_not_known_stay() -> None:
    conditions = {"label_name": ["Bug", "none"], "exclude_label_name": "other"}

    found = conditions_in(conditions, "me", LABELS)

    assert found.conditions == conditions
    assert found.unknown == ("none", "other")


@pytest.mark.parametrize(
    ("stored", "packaged"),
    [
        (None, None),
        ({"label_id": 1, "label_slug": "bug"}, {"label_name": "Bug"}),
        ({"label_id": 150, "label_slug": "bug"}, {"label_id": 150, "label_slug": "bug"}),
        ({"label_slug": "bug"}, {"label_slug": "bug"}),
        ({"label_id": [1, 15]}, {"label_name": ["Bug", 'Größe: "XL"']}),
        ({"label_id": [1, 150]}, {"label_id": [1, 150]}),
        ({"label_id": True}, {"label_id": True}),
        ({"label_id": []}, {"label_id": []}),
        ({"exclude_label_id": 15}, {"exclude_label_name": 'Größe: "XL"'}),
        ({"a": "me", "b": [["me"], 1]}, {"a": "$SELF", "b": [["$SELF"], 1]}),
    ],
)
def test_ids_become_names(stored: Any, packaged: Any) -> None:
    assert conditions_out(stored, "me", NAMES) == packaged


@pytest.mark.parametrize(
    ("stored", "packaged"),
    [
        ({"type": "any"}, {"type": "any"}),
        ({"type": "agent"}, {"type": "agent"}),
        ({"type": "agent", "agent_id": "me"}, {"type": "agent", "agent_id": "$SELF"}),
        ({"type": "agent", "agent_id": "b"}, {"type": "agent", "agent_slug": "bob"}),
        ({"type": "agent", "agent_id": "x"}, {"type": "agent", "agent_id": "x"}),
    ],
)
def test_invokers_come_back_as_they_were(stored: Any, packaged: Any) -> None:
    assert invoker_out(stored, "me", {"b": "bob"}) == packaged
    assert invoker_in(packaged, "me", {"bob": "b"}) == stored


def test_an_agent_that_is_not_known_lets_nobody_in() -> None:
    rule = invoker_in({"type": "agent", "agent_slug": "none"}, "me", {})

    assert rule == {"type": "agent", "agent_id": "unknown agent none"}
