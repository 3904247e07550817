"""Queries, bodies and answers of the session files of Claude Code."""

from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field

from kombuse_sdk.schemas import Body, Offset, Output, Query, QueryInt, Text, issue_error

__all__ = [
    "FoundProject",
    "FoundSession",
    "FoundSessions",
    "Import",
    "ImportedProject",
    "LineCounts",
    "LineError",
    "LineIssue",
    "SessionContent",
    "SessionQuery",
    "SessionsQuery",
    "Validation",
]

_MOST_LINES = 1000
_MOST_PATHS = 1000


def _folder(value: str) -> str:
    """In one spelling, without a trailing slash."""
    path = PurePosixPath(value)
    is_name = "\0" not in value and value.encode("utf-8", "replace") == value.encode(
        "utf-8", "surrogatepass"
    )
    if not path.is_absolute() or not path.name or not is_name:
        raise issue_error("invalid_format", "Expected the absolute path of a folder")
    return str(path)


Folder = Annotated[Text, Field(min_length=1, max_length=4096), AfterValidator(_folder)]
LineLimit = Annotated[QueryInt, Field(gt=0), AfterValidator(lambda n: min(n, _MOST_LINES))]


class SessionsQuery(Query):
    path: Folder = Field(description="The folder of the project")


class SessionQuery(SessionsQuery):
    limit: LineLimit = Field(
        _MOST_LINES, description="Lines at most; there may be fewer when they are large"
    )
    offset: Offset = 0


class Import(Body):
    paths: list[Folder] = Field(min_length=1, max_length=_MOST_PATHS)


class FoundProject(Output):
    """A folder that Claude Code has worked in."""

    name: str
    path: str
    lastAccessed: str  # noqa: N815
    totalSessions: int  # noqa: N815
    totalMessages: int  # noqa: N815
    gitBranch: str | None  # noqa: N815
    isImported: bool  # noqa: N815


class ImportedProject(Output):
    """A project as `GET /api/projects` tells it."""

    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    slug: str
    owner_id: str
    local_path: str


class FoundSession(Output):
    sessionId: str  # noqa: N815
    messageCount: int  # noqa: N815
    isEstimate: bool = Field(  # noqa: N815
        description="The messages of this large file were not counted one by one"
    )
    created: str
    modified: str
    gitBranch: str | None  # noqa: N815
    projectPath: str  # noqa: N815


class FoundSessions(Output):
    sessions: list[FoundSession]


class LineIssue(Output):
    path: str
    message: str
    code: str


class LineError(Output):
    index: int
    type: str
    issues: list[LineIssue]


class LineCounts(Output):
    valid: int
    invalid: int


class Validation(Output):
    """Of the whole file; `errors` are the first ones, `errorsOmitted` counts the others."""

    valid: int
    invalid: int
    byType: dict[str, LineCounts]  # noqa: N815
    errors: list[LineError]
    errorsOmitted: int  # noqa: N815


class SessionContent(Output):
    """`count` lines are in the file; `nextOffset` is where the next page begins, if there is one.

    A line that cannot be read is `{"_parseError": true, "_lineIndex", "_raw"}`.
    """

    items: list[Any]
    count: int
    events: list[dict[str, Any]]
    offset: int
    nextOffset: int | None  # noqa: N815
    validation: Validation
