"""Wire shapes of the database explorer and of backups."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from kombuse_sdk.schemas import Body, LooseInt, NonEmpty, Output, issue_error

__all__ = [
    "Backup",
    "BackupFailure",
    "BackupStatus",
    "QueryBody",
    "QueryParam",
    "QueryRows",
    "Sql",
    "Table",
    "Tables",
]


def _param(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise issue_error("invalid_type", "Expected text, a number or null", expected="string")
    return value


QueryParam = Annotated[
    Any, AfterValidator(_param), WithJsonSchema({"type": ["string", "number", "null"]})
]
Sql = Annotated[NonEmpty, Field(max_length=100_000)]


class QueryBody(Body):
    sql: Sql
    params: list[QueryParam] = Field([])
    limit: Annotated[LooseInt, Field(gt=0, le=500)] = 100


class QueryRows(Output):
    rows: list[dict[str, Any]]
    count: int
    sql: str = Field(description="What was run, without surrounding space and semicolons")


class Table(Output):
    name: str
    type: Literal["table", "view"]


class Tables(Output):
    tables: list[Table]


class Backup(Output):
    """An archive of the database and the uploaded files."""

    name: str
    kind: Literal["scheduled", "manual"]
    size: int
    created_at: str


class BackupFailure(Output):
    at: str
    error: str


class BackupStatus(Output):
    """`every_seconds` is null when none are made by themselves, `problem` why not; newest first."""

    every_seconds: int | None
    keep: int
    problem: str | None
    running: bool
    last_failure: BackupFailure | None
    folder: str
    backups: list[Backup]
