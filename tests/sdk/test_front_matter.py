"""YAML of agent files: what is read from it, what is refused, and how it is written."""

import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kombuse_sdk.front_matter import (
    MAX_ALIASES,
    MAX_NESTING,
    MAX_VALUES,
    FrontMatterError,
    dump,
    load,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((word, word) for word in ("yes", "no", "on", "off", "y", "n", "Yes", "NO", "=")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        *((word, None) for word in ("~", "null", "Null", "NULL", "")),
        *((word, word) for word in ("tRUE", "nULL", "nil", "None")),
        *(("012", 12), ("0o12", 10), ("0x1F", 31), ("0b11", 3), ("1_000", 1000), ("-0x10", -16)),
        *(("1e3", 1000.0), (".5", 0.5), ("1.", 1.0), ("+1", 1), ("-1.5e-1", -0.15), ("-0", 0)),
        *((text, text) for text in ("12:30:45", "1:30", "2026-01-02", "2026-01-02T03:04:05Z")),
        *((text, text) for text in ("1__", "_1", "0x", "0o8", "0b2", ".", "e3", "1e", "1.2.3")),
        *((".inf", math.inf), ("-.INF", -math.inf), ("+.Inf", math.inf)),
        *(('"12"', "12"), ("'true'", "true"), ("!!str 12", "12"), ("! 12", "12")),
        *(("!!int 012", 12), ("!!float 1", 1.0), ("!!bool true", True), ("!!null ~", None)),
        *(("|\n  a\n  b\n", "a\nb\n"), (">\n  a\n  b\n", "a b\n"), ("a\n  b", "a b")),
        *(("[]", []), ("{}", {}), ("!!seq [a]", ["a"]), ("!!map {a: b}", {"a": "b"})),
        ("\u00e4 \U0001f600", "\u00e4 \U0001f600"),
    ],
)
def test_plain_words_have_the_core_types(text: str, expected: Any) -> None:
    value = load(f"key: {text}\n")["key"]

    assert value == expected
    assert type(value) is type(expected)


def test_not_a_number_is_one_of_the_numbers() -> None:
    assert math.isnan(load(".nan"))


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "~"])
def test_nothing_is_none(text: str) -> None:
    assert load(text) is None


def test_anchors_aliases_and_merges_are_expanded() -> None:
    text = """
    base: &base {a: 1, b: 2}
    more: &more {b: 3, c: 4}
    one: {<<: *base, b: 0}
    both: {<<: [*base, *more]}
    after: {c: 0, <<: *more}
    again: [&x word, *x]
    *x : key
    """
    found = load(text)

    assert found["one"] == {"a": 1, "b": 0}
    assert found["both"] == {"a": 1, "b": 2, "c": 4}
    assert found["after"] == {"b": 3, "c": 0}
    assert found["again"] == ["word", "word"]
    assert found["word"] == "key"


def test_keys_are_the_text_that_is_written() -> None:
    assert load("{1: a, true: b, 2026-01-02: c, ~: d, '<<': e}") == {
        "1": "a",
        "true": "b",
        "2026-01-02": "c",
        "~": "d",
        "<<": "e",
    }


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("a: 1\na: 2", 2, 1, "twice"),
        ("a: 1\n'a': 2", 2, 1, "twice"),
        ("x:\n  {b: 1, b: 1}", 2, 10, "twice"),
        ("a: [1,\n", 2, 1, "node"),
        ("a: 'x", 1, 6, "end of stream"),
        ("a: b: c", 1, 5, "mapping values"),
        ("a:\n\tb: 1", 2, 1, "token"),
        ("a: 1\n--- \nb: 1", 2, 1, "single document"),
        ("a: !!python/object/apply:os.system [ls]", 1, 4, "tag"),
        ("a: !!timestamp 2026-01-02", 1, 4, "tag"),
        ("a: !!binary aGk=", 1, 4, "tag"),
        ("a: !!set {x}", 1, 4, "tag"),
        ("a: !mine x", 1, 4, "tag"),
        ("a: !!int x", 1, 4, "tag"),
        ("a: !!map [x]", 1, 4, "tag"),
        ("a: &a [*a]", 1, 8, "what it is in"),
        ("a: *b", 1, 4, "nothing"),
        ("? [x]\n: 1", 1, 3, "no string"),
        ("? {x: 1}\n: 1", 1, 3, "no string"),
        ("<<: 1", 1, 5, "to merge"),
        ("<<: [{}, 1]", 1, 5, "to merge"),
        ("a: 9007199254740992", 1, 4, "out of range"),
        ("a: -" + "9" * 6000, 1, 4, "out of range"),
        ("a\nb: \x07", 2, 4, "does not allow"),
        ("a: \ud800", 1, 4, "does not allow"),
        ("%YAML 9.9\n--- a", 1, 1, ""),
        ("@", 1, 1, "token"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_errors_have_a_place(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(FrontMatterError) as refused:
        load(text)

    assert reason in refused.value.reason
    assert (refused.value.line, refused.value.column) == (line, column)
    assert str(refused.value).endswith(f"(line {line}, column {column})")


def test_lines_count_from_the_line_that_the_text_begins_with() -> None:
    with pytest.raises(FrontMatterError, match="line 12,"):
        load("a: 1\n\na: 2", first_line=10)


def test_nesting_has_a_limit_aliases_included() -> None:
    deepest = "[" * MAX_NESTING + "]" * MAX_NESTING
    assert json.dumps(load(deepest)).count("[") == MAX_NESTING

    for text in (
        f"[{deepest}]",
        f"a: {deepest}",
        "[" * 100_000,
        "\n".join(f"{'  ' * depth}a:" for depth in range(30)),
        f"a: &a {'[' * 12}{']' * 12}\nb: {'[' * 9}*a{']' * 9}",
    ):
        with pytest.raises(FrontMatterError, match="nested deeper than 20 levels"):
            load(text)


def test_aliases_have_a_limit() -> None:
    assert len(load(f"[&a x{', *a' * MAX_ALIASES}]")) == MAX_ALIASES + 1

    with pytest.raises(FrontMatterError, match="more than 100 aliases"):
        load(f"[&a x{', *a' * (MAX_ALIASES + 1)}]")


def test_few_aliases_cannot_stand_for_billions_of_values() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    with pytest.raises(FrontMatterError, match=f"more than {MAX_VALUES} values"):
        load("\n".join(lines))


@pytest.mark.parametrize(
    "text",
    [
        *("yes", "No", "on", "OFF", "y", "N", "true", "null", "~", "", "=", "<<", "012", "0o12"),
        *("0x1F", "0b11", "1_000", "1e3", ".5", "1.", "+1", "08", "12:30:45", "2026-01-02", ".inf"),
        *("2026-01-02T03:04:05Z", "- a", "a: b", "# a", "'a'", '"a"', "*a", "&a", "!a", "%a", "@a"),
        *("`a`", "[a", "{a", " a", "a ", "a #b", "?", "-", "---", "...", ":", "a:"),
    ],
)
def test_strings_that_could_be_taken_for_something_else_are_quoted(text: str) -> None:
    written = dump({"key": text})

    assert written == f"key: {json.dumps(text)}\n"
    assert load(written) == {"key": text}


def test_the_form_is_plain_blocks() -> None:
    value: dict[str, Any] = {
        "name": "Triager",
        "description": None,
        "long": "word " * 60 + "end",
        "text": "first\n\n  second\n",
        "empty": [],
        "nothing": {},
        "list": [{"type": "tool", "tool": "x"}, [1, 2.5, True], "it's"],
        "umlaut": 'Gr\u00f6\u00dfe: "XL"',
        "on": 1,
    }

    assert dump(value) == (
        "name: Triager\n"
        "description: null\n"
        f"long: {'word ' * 60}end\n"
        "text: |\n  first\n\n    second\n"
        "empty: []\n"
        "nothing: {}\n"
        "list:\n"
        "  - type: tool\n    tool: x\n"
        "  - - 1\n    - 2.5\n    - true\n"
        "  - it's\n"
        'umlaut: "Gr\u00f6\u00dfe: \\"XL\\""\n'
        '"on": 1\n'
    )


def test_the_same_value_twice_is_written_twice() -> None:
    shared = [1]

    assert dump({"a": shared, "b": shared}) == "a:\n  - 1\nb:\n  - 1\n"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False)
    | st.text(alphabet=st.characters(codec="utf-8"), max_size=30)
    | st.from_regex(r"[-+.0-9_exob:~yn \n]{0,8}", fullmatch=True),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4))
def test_what_was_written_is_read_again(value: dict[str, Any]) -> None:
    written = dump(value)

    assert load(written) == value
    assert "\n---\n" not in f"\n{written}"


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=4))
def test_readers_of_yaml_1_1_read_the_same_strings(value: dict[str, str]) -> None:
    assert yaml.safe_load(dump(value)) == value


@given(st.text(alphabet="ab: -[]{}&*!|>'\"%@`#,?\n\t<~1.", max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        value = load(text)
    except FrontMatterError as error:
        assert error.line >= 1
        assert error.column >= 1
    else:
        json.dumps(value)


def test_reading_needs_no_compiled_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &a [1, {b: yes}]\nc: *a\n"
    expected = load(text)
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)

    assert load(text) == expected == {"a": [1, {"b": "yes"}], "c": [1, {"b": "yes"}]}
    with pytest.raises(FrontMatterError, match="nested deeper"):
        load("[" * 1000)
