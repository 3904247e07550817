"""Field types of the wire, value by value."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kombuse_sdk import schemas
from kombuse_sdk.failures import issues_of
from kombuse_sdk.schemas import MAX_INT, Body, Query, issue_error, slugify, timestamp

INF = float("inf")
NAN = float("nan")
ACCEPTED: list[tuple[str, Any, Any]] = [
    ("Int", 5, 5),
    ("Int", 5.0, 5),
    ("Int", -0.0, 0),
    ("Int", MAX_INT, MAX_INT),
    ("Int", -MAX_INT, -MAX_INT),
    ("LooseInt", "5", 5),
    ("LooseInt", "-5", -5),
    ("LooseInt", 5.0, 5),
    ("QueryInt", "007", 7),
    ("QueryInt", "-1", -1),
    ("QueryInt", 3, 3),
    ("QueryBool", "true", True),
    ("QueryBool", "1", True),
    ("QueryBool", "false", False),
    ("QueryBool", "0", False),
    ("QueryBool", True, True),
    ("QueryIntList", "3, 1,3", [3, 1]),
    ("QueryIntList", [2, "1"], [2, 1]),
    ("Limit", "1", 1),
    ("Limit", "100", 100),
    ("Limit", "101", 100),
    ("Limit", 10**15, 100),
    ("Offset", "0", 0),
    ("IsoDate", "2024-02-29", "2024-02-29"),
    ("IsoDate", "2024-02-29T10:00:00Z", "2024-02-29T10:00:00Z"),
    ("IsoDateTime", "2024-01-02T03:04:05Z", "2024-01-02T03:04:05.000Z"),
    ("IsoDateTime", "2024-01-02T03:04:05.1239+02:00", "2024-01-02T01:04:05.123Z"),
    ("Slug", "a-1", "a-1"),
    ("Slug", "a" * 100, "a" * 100),
    ("Id", "any text, even ä 🍵", "any text, even ä 🍵"),
    ("Id", "a" * 100, "a" * 100),
    ("Text", "", ""),
    ("NonEmpty", " ", " "),
    ("ExternalUrl", "https://example.com/a?b#c", "https://example.com/a?b#c"),
    ("ExternalUrl", "mailto:ann@example.com", "mailto:ann@example.com"),
]
REFUSED: list[tuple[str, Any, str]] = [
    ("Int", "5", "invalid_type"),
    ("Int", True, "invalid_type"),
    ("Int", None, "invalid_type"),
    ("Int", 1.5, "invalid_type"),
    ("Int", INF, "invalid_type"),
    ("Int", -INF, "invalid_type"),
    ("Int", NAN, "invalid_type"),
    ("Int", [5], "invalid_type"),
    ("Int", MAX_INT + 1, "too_big"),
    ("Int", 1e300, "too_big"),
    ("Int", -MAX_INT - 1, "too_small"),
    ("LooseInt", "", "invalid_type"),
    ("LooseInt", " 5", "invalid_type"),
    ("LooseInt", "5.0", "invalid_type"),
    ("LooseInt", "0x5", "invalid_type"),
    ("LooseInt", "٥", "invalid_type"),
    ("LooseInt", "5\n", "invalid_type"),
    ("LooseInt", True, "invalid_type"),
    ("QueryInt", "1e3", "invalid_type"),
    ("QueryInt", "--1", "invalid_type"),
    ("QueryInt", "9" * 17, "too_big"),
    ("QueryInt", "-" + "9" * 17, "too_small"),
    ("QueryInt", "9" * 10_000, "invalid_type"),
    ("QueryInt", True, "invalid_type"),
    ("QueryInt", 1.0, "invalid_type"),
    ("QueryBool", "True", "invalid_type"),
    ("QueryBool", "", "invalid_type"),
    ("QueryBool", 1, "invalid_type"),
    ("QueryIntList", "", "invalid_type"),
    ("QueryIntList", "1;2", "invalid_type"),
    ("QueryIntList", "0", "too_small"),
    ("QueryIntList", 5, "invalid_type"),
    ("Limit", "0", "too_small"),
    ("Limit", "-1", "too_small"),
    ("Offset", "-1", "too_small"),
    ("IsoDate", "2023-02-29", "invalid_format"),
    ("IsoDate", "20240229", "invalid_format"),
    ("IsoDate", "2024-2-9", "invalid_format"),
    ("IsoDate", "2024-02-29x", "invalid_format"),
    ("IsoDate", "2024-W01-1", "invalid_format"),
    ("IsoDate", "", "invalid_format"),
    ("IsoDateTime", "2024-01-02", "invalid_format"),
    ("IsoDateTime", "2024-01-02T03:04:05", "invalid_format"),
    ("IsoDateTime", "0001-01-01T00:00:00+23:59", "invalid_format"),
    ("IsoDateTime", "9999-12-31T23:59:59-23:59", "invalid_format"),
    ("IsoDateTime", "tomorrow", "invalid_format"),
    ("Slug", "A", "invalid_format"),
    ("Slug", "a--b", "invalid_format"),
    ("Slug", "-a", "invalid_format"),
    ("Slug", "a\n", "invalid_format"),
    ("Slug", "", "invalid_format"),
    ("Slug", "a" * 101, "too_big"),
    ("Id", "a/b", "invalid_format"),
    ("Id", "a" * 101, "invalid_format"),
    ("Id", 5, "invalid_type"),
    ("Text", 5, "invalid_type"),
    ("Text", b"a", "invalid_type"),
    ("NonEmpty", "", "too_small"),
    ("ExternalUrl", "example.com", "invalid_format"),
    ("ExternalUrl", "https://a b", "invalid_format"),
    ("ExternalUrl", "https://a\n", "invalid_format"),
    ("ExternalUrl", "https:", "invalid_format"),
]


def read(name: str, value: Any) -> Any:
    return TypeAdapter(getattr(schemas, name)).validate_python(value)


@pytest.mark.parametrize(("name", "value", "expected"), ACCEPTED)
def test_a_value_is_read(name: str, value: Any, expected: Any) -> None:
    found = read(name, value)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("name", "value", "code"), REFUSED)
def test_a_value_is_refused_with_its_code(name: str, value: Any, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(name, value)

    (found,) = issues_of(caught.value)
    assert found["code"] == code
    assert found["path"] == []
    assert found["message"]


@pytest.mark.parametrize("name", ["Int", "LooseInt", "QueryInt", "Limit", "Offset"])
@given(value=st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none()))
def test_an_integer_is_a_safe_integer_or_an_issue(name: str, value: Any) -> None:
    try:
        found = read(name, value)
    except ValidationError as error:
        assert issues_of(error)[0]["code"] in {"invalid_type", "too_big", "too_small"}
    else:
        assert type(found) is int
        assert -MAX_INT <= found <= MAX_INT


@given(st.text())
def test_dates_of_any_text_are_read_or_refused(text: str) -> None:
    for name in ("IsoDate", "IsoDateTime", "ExternalUrl", "Slug", "Id"):
        try:
            read(name, text)
        except ValidationError as error:
            assert issues_of(error)


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.timezones()))
def test_every_moment_is_written_in_the_one_form_and_reads_back(moment: datetime) -> None:
    text = timestamp(moment)

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert read("IsoDateTime", text) == text
    back = datetime.fromisoformat(text)
    assert timedelta(0) <= moment.astimezone(UTC) - back < timedelta(milliseconds=1)


def test_a_timestamp_is_utc_whatever_the_zone() -> None:
    moment = datetime(2024, 1, 2, 3, 4, 5, 999_999, timezone(timedelta(hours=-5)))

    assert timestamp(moment) == "2024-01-02T08:04:05.999Z"


def test_a_timestamp_of_now_is_now() -> None:
    before = datetime.now(UTC)

    made = datetime.fromisoformat(timestamp())

    assert before - timedelta(milliseconds=1) <= made <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My  Project!", "my-project"),
        ("  --A1--  ", "a1"),
        ("Größe", "gr-e"),
        ("日本語", ""),
        ("", ""),
        ("İ", "i"),
    ],
)
def test_a_name_becomes_a_slug(name: str, slug: str) -> None:
    assert slugify(name) == slug


@given(st.text())
def test_a_slug_is_empty_or_valid_and_its_own_slug(name: str) -> None:
    slug = slugify(name)

    assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", slug)
    assert slugify(slug) == slug


class Entry(Body):
    name: schemas.Text = ""
    colour: schemas.Text | None = None
    size: int = 1


def test_changes_are_what_was_sent_null_included() -> None:
    assert Entry.model_validate({}).changes() == {}
    sent = Entry.model_validate({"colour": None, "name": "a", "other": 1})
    assert sent.changes() == {"name": "a", "colour": None}
    assert sent.changes(without=("name",)) == {"colour": None}


def test_a_query_gives_every_parameter() -> None:
    class Filters(Query):
        number: schemas.QueryInt | None = None
        limit: schemas.Limit = 50

    assert Filters.model_validate({"number": "3"}).given() == {"number": 3, "limit": 50}


def test_an_issue_error_takes_braces_literally() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(schemas.Text).validate_python(1)
    assert issues_of(caught.value)[0]["expected"] == "string"

    error = issue_error("custom", "not {this} {0}", minimum=1)
    assert error.message() == "not {this} {0}"
    assert error.type == "custom"
