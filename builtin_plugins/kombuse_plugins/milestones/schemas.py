"""Wire shapes of milestones."""

from typing import Literal

from pydantic import Field

from kombuse_sdk.schemas import ABSENT, Body, IsoDate, NonEmpty, Output, Query, Text

__all__ = [
    "Milestone",
    "MilestoneCreate",
    "MilestoneFilter",
    "MilestoneUpdate",
    "MilestoneWithStats",
]


Status = Literal["open", "closed"]


class Milestone(Output):
    """A phase of a project."""

    id: int
    project_id: str
    title: str
    description: str | None
    due_date: str | None = Field(description="ISO date, or ISO date and time")
    status: Status
    created_at: str
    updated_at: str


class MilestoneWithStats(Milestone):
    open_count: int = Field(description="Tickets that are not closed")
    closed_count: int
    total_count: int


class MilestoneCreate(Body):
    title: NonEmpty
    description: Text = ABSENT
    due_date: IsoDate = ABSENT


class MilestoneUpdate(Body):
    title: NonEmpty = ABSENT
    description: Text | None = None
    due_date: IsoDate | None = None
    status: Status = ABSENT


class MilestoneFilter(Query):
    status: Status | None = None
