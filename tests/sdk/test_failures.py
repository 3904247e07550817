"""What becomes of exceptions at a boundary."""

import errno
import sqlite3

import pytest
from pydantic import BaseModel, ValidationError

from kombuse_sdk.errors import Conflict, Invalid, NotFound, issue
from kombuse_sdk.failures import describe


class Model(BaseModel):
    name: str
    count: int


@pytest.mark.parametrize(
    ("error", "status", "body"),
    [
        (NotFound("No such thing"), 404, {"error": "No such thing"}),
        (Conflict("Taken", ticket=1), 409, {"error": "Taken", "ticket": 1}),
        (
            Invalid(issue("custom", ["a"], "Wrong")),
            400,
            {"error": [{"code": "custom", "path": ["a"], "message": "Wrong"}]},
        ),
        (
            sqlite3.OperationalError("database is locked"),
            503,
            {"error": "The database is busy, try again"},
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            507,
            {"error": "The disk is full: nothing was changed"},
        ),
        (RuntimeError("secret of the house"), 500, {"error": "Internal server error"}),
    ],
)
def test_an_exception_becomes_a_status_and_a_body(
    error: Exception, status: int, body: object
) -> None:
    assert describe(error) == (status, body)


@pytest.mark.parametrize(
    ("message", "status"),
    [("UNIQUE constraint failed: x.y", 409), ("FOREIGN KEY constraint failed", 400)],
)
def test_words_of_the_database_stay_inside(
    message: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    found, body = describe(sqlite3.IntegrityError(message))

    assert found == status
    assert "constraint" not in body["error"]
    assert message in caplog.text


def test_a_validation_error_becomes_issues() -> None:
    with pytest.raises(ValidationError) as raised:
        Model.model_validate({"count": "x"})

    status, body = describe(raised.value)

    assert status == 400
    assert [(found["code"], found["path"]) for found in body["error"]] == [
        ("invalid_type", ["name"]),
        ("invalid_type", ["count"]),
    ]
