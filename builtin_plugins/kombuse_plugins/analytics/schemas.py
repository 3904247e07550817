"""Wire shapes of the reports."""

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from kombuse_sdk.schemas import Output, Query, QueryInt, issue_error

__all__ = [
    "MAX_DAYS",
    "BurndownFilter",
    "BurndownRow",
    "CostFilter",
    "CostRow",
    "DayCount",
    "DurationRow",
    "FileReads",
    "ReadFilter",
    "RunTime",
    "RunTimeFilter",
    "SessionCallFilter",
    "SessionCalls",
    "StageRow",
    "ThroughputFilter",
    "ThroughputRow",
    "ToolDurations",
    "ToolVolume",
    "Window",
    "WindowFilter",
]

MAX_DAYS = 365
_MAX_ROWS = 1000
_DIMENSIONS = ("day", "agent", "ticket")


def _day(value: str) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        value = ""
    raise issue_error("invalid_format", "Expected a date (YYYY-MM-DD)")


def _dimensions(value: str) -> str:
    names = value.split(",")
    if not set(names) <= set(_DIMENSIONS) or len(set(names)) < len(names):
        expected = ", ".join(_DIMENSIONS)
        raise issue_error("invalid_value", f"Expected names separated by commas: {expected}")
    return value


def _most(limit: int) -> AfterValidator:
    return AfterValidator(lambda value: min(value, limit))


Day = Annotated[str, AfterValidator(_day)]
Days = Annotated[QueryInt, Field(gt=0), _most(MAX_DAYS)]
Rows = Annotated[QueryInt, Field(gt=0), _most(_MAX_ROWS)]
Id = Annotated[QueryInt, Field(gt=0)]
ProjectName = Annotated[str, Field(min_length=1, description="Id or slug")]


class Window(Query):
    """Whole UTC days, both ends included: from `from`, or `days` before the last one, to `to`."""

    days: Days = Field(30, description=f"At most {MAX_DAYS}; without effect beside `from`")
    from_: Day | None = Field(None, alias="from", description="The first day")
    to: Day | None = Field(None, description="The last day; today when absent")


class WindowFilter(Window):
    project_id: ProjectName


class ReadFilter(WindowFilter):
    limit: Rows = 25


class SessionCallFilter(WindowFilter):
    agent_id: Annotated[str, Field(min_length=1)] | None = None


class BurndownFilter(WindowFilter):
    milestone_id: Id | None = None
    label_id: Id | None = None


class RunTimeFilter(Query):
    project_id: ProjectName
    limit: Rows = Field(50, description="How many tickets, the last closed ones")


class CostFilter(Window):
    project_id: ProjectName | None = None
    group_by: Annotated[str, AfterValidator(_dimensions)] = Field(
        ",".join(_DIMENSIONS), description="Any of day, agent, ticket, separated by commas"
    )
    limit: Rows = 500


class ThroughputFilter(Window):
    project_id: ProjectName | None = None
    group_by: Literal["day", "week", "month", "total"] = "day"


class DayCount(Output):
    date: str
    count: int


class DurationRow(Output):
    """How long the completed sessions of an agent took, in milliseconds."""

    agent_id: str | None
    agent_name: str
    p50: int
    p90: int
    p99: int
    avg: int
    count: int


class StageRow(Output):
    """How long the completed invocations of an agent took, in milliseconds."""

    agent_id: str | None
    agent_name: str
    avg_duration: int
    p50: int
    p90: int
    count: int


class FileReads(Output):
    file_path: str
    read_count: int


class SessionCalls(Output):
    session_id: str
    kombuse_session_id: str
    agent_id: str | None
    agent_name: str
    call_count: int


class ToolDurations(Output):
    """How long calls of a tool took until their result, in milliseconds."""

    tool_name: str
    count: int
    avg: int
    p50: int
    p90: int
    p99: int


class ToolVolume(Output):
    tool_name: str
    call_count: int
    session_count: int


class BurndownRow(Output):
    """The tickets at the end of a day; `ideal` is a straight line to the milestone's due date."""

    date: str
    total: int
    open: int
    closed: int
    ideal: int | None


class RunTime(Output):
    """A completed session on a ticket: the time in which something happened, without pauses."""

    ticket_number: int
    ticket_title: str
    agent_name: str
    agent_id: str | None
    session_id: str
    kombuse_session_id: str
    duration_ms: int
    run_index: int


class CostRow(Output):
    """What turns cost; day, agent and ticket are null unless they are grouped by."""

    date: str | None
    agent_id: str | None
    agent_name: str | None
    ticket_id: int | None
    ticket_number: int | None
    ticket_title: str | None
    sessions: int
    turns: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: float


class ThroughputRow(Output):
    """Tickets of a period, which begins at `date`; the times are from creation to the last close.

    They are in milliseconds, of the tickets that were closed in the period.
    """

    date: str
    created: int
    closed: int
    avg: int | None
    p50: int | None
    p90: int | None
    p99: int | None
