"""What a new version of a package makes of an agent that a person may have changed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombuse_plugins.agents.package_merge import merged, same

CONFIGS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 2) | st.booleans())
STATES = st.builds(
    lambda prompt, config, is_enabled: {
        "system_prompt": prompt,
        "permissions": [],
        "config": config,
        "is_enabled": is_enabled,
    },
    st.sampled_from("xyz"),
    CONFIGS,
    st.booleans(),
)


def state(**values: Any) -> dict[str, Any]:
    return {"system_prompt": "a", "permissions": [], "config": {}, "is_enabled": True} | values


def test_without_a_base_everything_is_replaced() -> None:
    assert merged(None, state(system_prompt="mine", config={"x": 1}), state()) == state()


@pytest.mark.parametrize(
    ("name", "mine", "new"),
    [
        ("system_prompt", "mine", "b"),
        ("permissions", [{"type": "tool"}], [{"type": "resource"}]),
        ("is_enabled", False, True),
    ],
)
def test_a_field_that_a_person_changed_is_kept(name: str, mine: Any, new: Any) -> None:
    found = merged(state(), state(**{name: mine}), state(**{name: new}))

    assert found == state(**{name: mine})


def test_a_configuration_is_merged_key_by_key() -> None:
    base = {"temperature": 0.2, "max_chain_depth": 3, "gone": 1, "removed": 1}
    now = {"temperature": 0.9, "max_chain_depth": 3, "gone": 1, "own": 5}
    new = {"temperature": 0.2, "max_chain_depth": 5, "removed": 1, "model": "m2"}

    found = merged(state(config=base), state(config=now), state(config=new))

    assert found["config"] == {
        "temperature": 0.9,
        "max_chain_depth": 5,
        "removed": 1,
        "model": "m2",
        "own": 5,
    }


def test_values_are_compared_as_json() -> None:
    assert same({"a": 1, "b": [True]}, {"b": [True], "a": 1})
    assert not same({"a": 1}, {"a": True})


@given(STATES, STATES)
def test_what_nobody_touched_becomes_the_new_version(base: Any, new: Any) -> None:
    assert merged(base, base, new) == new


@given(STATES, STATES, STATES)
def test_every_change_of_a_person_survives(base: Any, now: Any, new: Any) -> None:
    found = merged(base, now, new)

    for name in ("system_prompt", "is_enabled"):
        assert same(found[name], new[name] if same(now[name], base[name]) else now[name])
    for key, value in now["config"].items():
        if key not in base["config"] or not same(base["config"][key], value):
            assert same(found["config"][key], value)
