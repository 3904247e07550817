"""Tickets for agents."""

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from kombuse_plugins.tickets import digest, queries, search, service
from kombuse_plugins.tickets.digest import DigestConfig, Skipped
from kombuse_plugins.tickets.schemas import (
    SortOrder,
    Status,
    TicketCreate,
    TicketFilter,
    TicketUpdate,
    TicketWithRelations,
)
from kombuse_sdk.contracts import Projects
from kombuse_sdk.contracts.profiles import marked
from kombuse_sdk.errors import NotFound
from kombuse_sdk.mcp import Caller, Tool, ToolInput, ToolResult
from kombuse_sdk.schemas import LooseInt, NonEmpty, Output
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["TOOLS"]

PositiveInt = Annotated[
    LooseInt, Field(gt=0), WithJsonSchema({"type": "integer", "exclusiveMinimum": 0})
]
PageSize = Annotated[int, Field(ge=1, le=100)]


class GetTicket(ToolInput):
    project_id: NonEmpty
    ticket_number: PositiveInt
    config: DigestConfig | None = None
    kombuse_session_id: str | None = None


class CreateTicket(ToolInput):
    project_id: NonEmpty
    title: NonEmpty
    body: str | None = Field(default=None, description="Markdown")
    triggers_enabled: bool = Field(
        default=False, description="Let events of the ticket start agents"
    )
    loop_protection_enabled: bool = True
    kombuse_session_id: str | None = None


class ListTickets(ToolInput):
    project_id: str | None = None
    status: Status | None = None
    assignee_id: str | None = None
    label_ids: list[PositiveInt] | None = Field(
        default=None, description="All must be on the ticket"
    )
    sort_by: Literal["created_at", "updated_at", "last_activity_at", "priority"] = "updated_at"
    sort_order: SortOrder = "desc"
    limit: PageSize = 50
    offset: Skipped = 0


class SearchTickets(ToolInput):
    query: Annotated[str, Field(min_length=1, max_length=200)]
    project_id: str | None = None
    status: Status | None = None
    limit: PageSize = 20
    offset: Skipped = 0


class UpdateTicket(ToolInput):
    project_id: NonEmpty
    ticket_number: PositiveInt
    title: NonEmpty | None = None
    body: str | None = None
    status: Status | None = None
    priority: Annotated[int, Field(ge=0, le=4)] | None = None
    assignee_id: Annotated[
        str | None, WithJsonSchema({"type": ["string", "null"], "description": "null: nobody"})
    ] = None
    add_label_ids: list[PositiveInt] | None = None
    remove_label_ids: list[PositiveInt] | None = None
    kombuse_session_id: str | None = None


class TicketList(Output):
    tickets: list[TicketWithRelations]
    count: int


class UpdatedTicket(Output):
    ticket: TicketWithRelations
    labels: list[dict[str, Any]]


def get_ticket(tx: ReadTx, caller: Caller, arguments: GetTicket) -> ToolResult:
    project_id = tx.services.get(Projects).resolve(tx, arguments.project_id)
    row = queries.row(tx, project_id, arguments.ticket_number) if project_id else None
    if row is None:
        raise _not_found(arguments)
    made = digest.build(tx, row, arguments.config or DigestConfig(), caller.agent_type)
    return ToolResult(data=made, compact=True)


def create_ticket(tx: WriteTx, caller: Caller, arguments: CreateTicket) -> JsonText:
    values = arguments.model_dump(exclude={"kombuse_session_id"}, exclude_none=True)
    body = TicketCreate(**values, author_id=caller.profile_id)
    return queries.related(tx, service.create(tx, body, caller.session_id).id)


def list_tickets(tx: ReadTx, caller: Caller, arguments: ListTickets) -> dict[str, Any]:
    values = arguments.model_dump(exclude={"label_ids", "limit", "offset"}, exclude_none=True)
    label_ids = list(dict.fromkeys(arguments.label_ids or ()))
    return _listed(tx, queries.page(tx, _filter(values, arguments), label_ids=label_ids or None))


def search_tickets(tx: ReadTx, caller: Caller, arguments: SearchTickets) -> dict[str, Any]:
    """Nothing to search for finds nothing, rather than everything."""
    if search.parse(arguments.query) is None:
        return {"tickets": [], "count": 0}
    values = arguments.model_dump(include={"project_id", "status"}, exclude_none=True)
    values["search"] = arguments.query
    return _listed(tx, search.page(tx, _filter(values, arguments)))


def update_ticket(tx: WriteTx, caller: Caller, arguments: UpdateTicket) -> dict[str, Any]:
    project_id = tx.services.get(Projects).resolve(tx, arguments.project_id)
    number = arguments.ticket_number
    if project_id is None or service.find(tx, project_id, number) is None:
        raise _not_found(arguments)
    changes = arguments.model_dump(
        include={"title", "body", "status", "priority", "add_label_ids", "remove_label_ids"},
        exclude_none=True,
    )
    if "assignee_id" in arguments.model_fields_set:
        changes["assignee_id"] = arguments.assignee_id
    body = TicketUpdate(**changes, updated_by_id=caller.profile_id)
    ticket = service.update(tx, project_id, number, body, caller.session_id)
    (updated,) = marked(tx, [queries.related(tx, ticket.id).load()])
    return {"ticket": updated, "labels": updated.get("labels", [])}


def _filter(values: dict[str, Any], page: ListTickets | SearchTickets) -> TicketFilter:
    return TicketFilter(**values, limit=page.limit, offset=page.offset)


def _listed(tx: ReadTx, found: JsonText) -> dict[str, Any]:
    tickets = marked(tx, found.load())
    return {"tickets": tickets, "count": len(tickets)}


def _not_found(arguments: GetTicket | UpdateTicket) -> NotFound:
    number, project = arguments.ticket_number, arguments.project_id
    return NotFound(f"Ticket #{number} not found in project {project}")


TOOLS = (
    Tool(
        name="get_ticket",
        title="Get a ticket",
        description="Read a ticket: digest of at most 25 kB with participants and comments.",
        input=GetTicket,
        output=dict[str, Any],
        run=get_ticket,
        order=10,
    ),
    Tool(
        name="create_ticket",
        title="Create a ticket",
        description="Create a ticket in a project, as yourself. Triggers are off by default.",
        input=CreateTicket,
        output=TicketWithRelations,
        run=create_ticket,
        is_write=True,
        order=40,
    ),
    Tool(
        name="list_tickets",
        title="List tickets",
        description="List tickets by filters, full bodies included. Find words: search_tickets.",
        input=ListTickets,
        output=TicketList,
        run=list_tickets,
        order=60,
    ),
    Tool(
        name="search_tickets",
        title="Search tickets",
        description=(
            "Full-text search in titles, bodies and comments, best match first. All words must"
            " occur; a number finds the ticket with it. match_context marks hits with « »."
        ),
        input=SearchTickets,
        output=TicketList,
        run=search_tickets,
        order=70,
    ),
    Tool(
        name="update_ticket",
        title="Update a ticket",
        description="Change fields, assignee and labels of a ticket, all or nothing.",
        input=UpdateTicket,
        output=UpdatedTicket,
        run=update_ticket,
        is_write=True,
        is_idempotent=True,
        order=100,
    ),
)
