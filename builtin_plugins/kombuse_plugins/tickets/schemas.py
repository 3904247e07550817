"""Wire shapes of tickets."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StrictBool

from kombuse_sdk.schemas import (
    ABSENT,
    Body,
    ExternalUrl,
    Int,
    Limit,
    LooseInt,
    NonEmpty,
    Offset,
    Output,
    Query,
    QueryBool,
    QueryInt,
    Text,
)

__all__ = [
    "ClaimCreate",
    "ClaimExtension",
    "CountsFilter",
    "SortBy",
    "SortOrder",
    "Status",
    "Ticket",
    "TicketCounts",
    "TicketCreate",
    "TicketFilter",
    "TicketUpdate",
    "TicketView",
    "TicketWithRelations",
    "Unclaim",
    "ViewCreate",
]


Status = Literal["open", "in_progress", "blocked", "closed"]
SortBy = Literal[
    "created_at", "updated_at", "last_activity_at", "priority", "closed_at", "opened_at"
]
SortOrder = Literal["asc", "desc"]
Priority = Annotated[Int, Field(ge=0, le=4)]
PositiveInt = Annotated[Int, Field(gt=0)]
LoosePositiveInt = Annotated[LooseInt, Field(gt=0)]
Minutes = Annotated[LooseInt, Field(gt=0, le=525_600, description="At most a year")]


class Ticket(Output):
    """A ticket; its canonical address is `project_id` and `ticket_number`."""

    id: int
    ticket_number: int
    project_id: str
    author_id: str
    assignee_id: str | None
    claimed_by_id: str | None
    title: str
    body: str | None
    triggers_enabled: bool
    loop_protection_enabled: bool
    status: Status
    priority: int | None = Field(description="0 (lowest) to 4 (highest), null when unset")
    external_source: str | None
    external_id: str | None
    milestone_id: int | None
    external_url: str | None
    synced_at: str | None
    claimed_at: str | None
    claim_expires_at: str | None
    created_at: str
    updated_at: str
    opened_at: str
    closed_at: str | None
    last_activity_at: str


class TicketWithRelations(Ticket):
    """A ticket with what plugins join to it; the match fields only after a search.

    `loop_protection_tripped` is told of one protected ticket, not in lists.
    """

    joined_kind: ClassVar[str] = "ticket"

    match_context: str | None = None
    match_source: Literal["title", "body", "comment"] | None = None
    loop_protection_tripped: bool = ABSENT


class TicketCounts(Output):
    """How many tickets of a project have each status."""

    open: int
    in_progress: int
    blocked: int
    closed: int


class TicketView(Output):
    """When a profile last saw a ticket."""

    id: int
    ticket_id: int
    profile_id: str
    last_viewed_at: str


class TicketCreate(Body):
    project_id: NonEmpty
    author_id: NonEmpty
    title: NonEmpty
    body: Text = ABSENT
    triggers_enabled: StrictBool = True
    loop_protection_enabled: StrictBool = True
    status: Status = "open"
    priority: Priority = ABSENT
    assignee_id: Text = ABSENT
    milestone_id: PositiveInt = ABSENT
    label_ids: list[LoosePositiveInt] = Field(default=[])
    external_source: Text = ABSENT
    external_id: Text = ABSENT
    external_url: ExternalUrl = ABSENT


class TicketUpdate(Body):
    title: NonEmpty = ABSENT
    body: Text | None = None
    triggers_enabled: StrictBool = ABSENT
    loop_protection_enabled: StrictBool = ABSENT
    status: Status = ABSENT
    priority: Priority | None = None
    assignee_id: Text | None = None
    milestone_id: PositiveInt | None = None
    external_source: Text | None = None
    external_id: Text | None = None
    external_url: ExternalUrl | None = None
    add_label_ids: list[LoosePositiveInt] = Field(default=[])
    remove_label_ids: list[LoosePositiveInt] = Field(default=[])
    updated_by_id: NonEmpty = ABSENT


class ClaimCreate(Body):
    claimer_id: NonEmpty
    duration_minutes: Minutes = ABSENT


class ClaimExtension(Body):
    additional_minutes: Minutes


class Unclaim(Body):
    requester_id: NonEmpty = ABSENT
    force: StrictBool = False


class ViewCreate(Body):
    profile_id: NonEmpty


class TicketFilter(Query):
    joined_kind: ClassVar[str] = "ticket"

    project_id: str | None = None
    status: Status | None = None
    priority: Annotated[QueryInt, Field(ge=0, le=4)] | None = None
    author_id: str | None = None
    assignee_id: str | None = None
    claimed_by_id: str | None = None
    unclaimed: QueryBool | None = None
    expired_claims: QueryBool | None = None
    viewer_id: str | None = Field(default=None, description="Adds has_unread for this profile")
    search: Annotated[str, Field(max_length=200)] | None = None
    sort_by: SortBy | None = None
    sort_order: SortOrder | None = None
    limit: Limit = 50
    offset: Offset = 0


class CountsFilter(Query):
    project_id: Annotated[str, Field(min_length=1)]
