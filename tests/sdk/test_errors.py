"""Errors: statuses, bodies and the words they show."""

import re

import pytest

from kombuse_sdk import errors
from kombuse_sdk.errors import Conflict, Invalid, KombuseError, NotFound, Unprocessable, issue


def test_the_tree_in_the_docstring_is_the_tree_of_the_code() -> None:
    told = dict(re.findall(r"── (\w+) +(\d{3})", errors.__doc__ or ""))
    classes = {
        name: str(value.status)
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, KombuseError) and value is not KombuseError
    }

    assert told == classes


@pytest.mark.parametrize(
    "kind",
    [value for value in vars(errors).values() if isinstance(value, type) and value is not Invalid],
)
def test_a_message_is_the_body_and_the_text(kind: type) -> None:
    if not issubclass(kind, KombuseError):
        return
    error = kind("what is wrong")

    assert error.body() == {"error": "what is wrong"}
    assert str(error) == "what is wrong"


def test_a_conflict_carries_more_into_its_body() -> None:
    assert Conflict("taken", ticket={"id": 1}).body() == {"error": "taken", "ticket": {"id": 1}}


def test_a_missing_reference_is_named_with_its_field() -> None:
    error = Unprocessable.reference("owner_id", "profile")

    assert error.body() == {"error": "owner_id does not reference an existing profile"}
    assert error.status == 422


def test_what_was_found_is_given_back_and_what_was_not_is_an_error() -> None:
    assert NotFound.unless("", "Label") == ""
    with pytest.raises(NotFound, match=r"^Label not found$"):
        NotFound.unless(None, "Label")


def test_issues_are_listed_in_the_body_and_joined_in_the_text() -> None:
    error = Invalid(
        issue("too_small", ("labels", 0), "Too small", minimum=1), issue("custom", [], "Odd")
    )

    assert error.body() == {
        "error": [
            {"code": "too_small", "path": ["labels", 0], "message": "Too small", "minimum": 1},
            {"code": "custom", "path": [], "message": "Odd"},
        ]
    }
    assert str(error) == "labels.0: Too small; Odd"
