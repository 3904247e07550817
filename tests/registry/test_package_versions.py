"""Versions as npm compares them, and its ranges."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombuse_registry import versions

# https://semver.org/#spec-item-11, and what has its place between those
ASCENDING = [
    *("0.0.0-0", "0.0.0", "0.0.1", "0.9.9", "1.0.0-1", "1.0.0-2", "1.0.0-10", "1.0.0-alpha"),
    *("1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11"),
    *("1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0-rc.1", "2.0.0", "10.0.0"),
]
KNOWN = ["1.2.0-rc.1", "1.2.0", "1.2.3", "1.3.0-rc.1", "2.0.0-rc.1", "2.0.0", "0.1.0", "3.0.0-a"]
VERSIONS = st.from_regex(
    r"(0|[1-9][0-9]?)\.(0|[1-9])\.(0|[1-9])(-(0|[1-9a-c]|rc)(\.[1-9])?)?(\+b)?", fullmatch=True
)


def test_versions_come_in_the_order_of_precedence() -> None:
    pairs = [(a, b) for i, a in enumerate(ASCENDING) for b in ASCENDING[i + 1 :]]

    assert [pair for pair in pairs if not versions.is_newer(pair[1], pair[0])] == []
    assert [pair for pair in pairs if versions.is_newer(pair[0], pair[1])] == []
    assert versions.sort_newest_first(ASCENDING) == ASCENDING[::-1]


def test_build_metadata_makes_no_version_newer() -> None:
    assert not versions.is_newer("1.0.0+2", "1.0.0+1")
    assert versions.meets_minimum("1.0.0+1", "1.0.0+2")
    assert versions.sort_newest_first(["1.0.0+a", "1.0.0+b"]) == ["1.0.0+a", "1.0.0+b"]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("1.2.3", "1.2.3"),
        ("v1.2.3", "1.2.3"),
        ("=1.2.3", "1.2.3"),
        (" =v1.2.3-rc.1+b.07\n", "1.2.3-rc.1+b.07"),
        ("1.2.3--", "1.2.3--"),
        ("9007199254740991.0.0", "9007199254740991.0.0"),
    ],
)
def test_what_npm_takes_for_a_version_is_one(text: str, plain: str) -> None:
    assert str(versions.parse(text)) == plain
    assert versions.is_version(text) is (text == plain)


@pytest.mark.parametrize(
    "text",
    [
        *("", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0-01", "1.0.0-", "1.0.0+", "1.0.0-a..b"),
        *("latest", "^1.0.0", "vv1.0.0", "1.0.0 beta", "1.0.0-\u00e4", "\u0661.0.0", "-1.0.0"),
        *("9007199254740992.0.0", f"1.0.0-{'a' * 300}", "../1.0.0", "1.0.0\x00"),
    ],
)
def test_other_texts_are_no_versions_and_never_newer(text: str) -> None:
    assert versions.parse(text) is None
    assert not versions.is_newer(text, "0.0.1")
    assert not versions.is_newer("0.0.1", text)
    assert not versions.meets_minimum(text, "0.0.0-0")
    assert versions.newest([text]) is None


def test_the_newest_is_a_release_if_there_is_one() -> None:
    assert versions.newest(["1.0.0", "2.0.0-rc.1", "x"]) == "1.0.0"
    assert versions.newest(["2.0.0-rc.1", "2.0.0-rc.2"]) == "2.0.0-rc.2"
    assert versions.newest([]) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("^1.2.0", ["1.2.3", "1.2.0"]),
        ("^0.1.0", ["0.1.0"]),
        ("~1.2", ["1.2.3", "1.2.0"]),
        ("~> 1.2.1", ["1.2.3"]),
        ("1.x", ["1.2.3", "1.2.0"]),
        ("1.2.0 - 2", ["2.0.0", "1.2.3", "1.2.0"]),
        ("^v0.1 || >=2", ["2.0.0", "0.1.0"]),
        (">= 1.2.1  < 2", ["1.2.3"]),
        ("<1.2", ["0.1.0"]),
        ("*", ["2.0.0", "1.2.3", "1.2.0", "0.1.0"]),
        ("", ["2.0.0", "1.2.3", "1.2.0", "0.1.0"]),
        ("=1.2.3", ["1.2.3"]),
        ("= v1.2.3", ["1.2.3"]),
        ("1.2.0-rc.1", ["1.2.0-rc.1"]),
        (">=1.2.0-rc.0 <2", ["1.2.3", "1.2.0", "1.2.0-rc.1"]),
        ("^2.0.0-rc.0", ["2.0.0", "2.0.0-rc.1"]),
        ("^7", []),
    ],
)
def test_ranges_have_prereleases_only_of_the_release_that_they_name(
    text: str, expected: list[str]
) -> None:
    assert versions.is_range(text)
    assert versions.satisfying(text, KNOWN) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("^1.2.0", ["1.3.0-rc.1", "1.2.3", "1.2.0"]),
        ("1.x", ["1.3.0-rc.1", "1.2.3", "1.2.0", "1.2.0-rc.1"]),
        (">=2", ["3.0.0-a", "2.0.0"]),
    ],
)
def test_all_prereleases_of_a_range_can_be_asked_for(text: str, expected: list[str]) -> None:
    assert versions.satisfying(text, KNOWN, prereleases=True) == expected


@pytest.mark.parametrize(
    "text", ["latest", "@beta", "^", "~*", ">>1", "1.2.3.4", "a" * 1000, "^1 ^"]
)
def test_what_is_no_range_selects_nothing(text: str) -> None:
    assert not versions.is_range(text)
    assert versions.satisfying(text, KNOWN) == []


@given(VERSIONS, VERSIONS)
def test_of_two_versions_at_most_one_is_newer(a: str, b: str) -> None:
    newer = [versions.is_newer(a, b), versions.is_newer(b, a)]

    assert newer.count(True) == (versions.parse(a) != versions.parse(b))
    assert versions.meets_minimum(a, b) is not newer[1]


@given(VERSIONS)
def test_a_version_is_in_the_range_of_itself(text: str) -> None:
    for mark in ("", "^", "~", ">=", "<="):
        assert versions.satisfying(mark + text.partition("+")[0], [text]) == [text]


@given(st.text(max_size=30))
def test_any_text_is_a_range_or_not(text: str) -> None:
    assert set(versions.satisfying(text, KNOWN)) <= set(KNOWN)
    assert set(versions.satisfying(text, KNOWN, prereleases=True)) <= set(KNOWN)


def test_comparing_versions_imports_neither_pydantic_nor_the_library_for_ranges() -> None:
    code = """
import sys
import kombuse_registry.names, kombuse_registry.versions, kombuse_registry.archive
kombuse_registry.versions.is_newer("1.0.1", "1.0.0")
print([name for name in ("pydantic", "semantic_version", "yaml") if name in sys.modules])
"""
    path = os.pathsep.join(filter(None, sys.path))

    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout == "[]\n"
