"""/api/tickets and /api/projects/{project_id}/tickets"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.tickets import claims, queries, search, service
from kombuse_plugins.tickets.schemas import (
    ClaimCreate,
    ClaimExtension,
    CountsFilter,
    Ticket,
    TicketCounts,
    TicketCreate,
    TicketFilter,
    TicketUpdate,
    TicketView,
    TicketWithRelations,
    Unclaim,
    ViewCreate,
)
from kombuse_sdk.http import Db, ProjectId, Read, Router, TicketNumber, Write

router = Router()
_BY_NUMBER = "/projects/{project_id}/tickets/by-number/{number}"


@router.get("/tickets", response_model=list[TicketWithRelations])
async def list_tickets(db: Db, query: Annotated[TicketFilter, Query()]) -> Any:
    if query.search is not None:
        return await db.read_async(lambda tx: search.page(tx, query))
    with db.read() as tx:
        return queries.page(tx, query)


@router.get("/tickets/counts", response_model=TicketCounts)
def count_tickets(tx: Read, query: Annotated[CountsFilter, Query()]) -> Any:
    return service.counts(tx, query.project_id)


@router.post("/tickets", status_code=201, response_model=Ticket)
def create_ticket(tx: Write, body: TicketCreate) -> Any:
    return queries.one(tx, service.create(tx, body).id)


@router.get(_BY_NUMBER, response_model=TicketWithRelations)
def get_ticket(tx: Read, project_id: ProjectId, number: TicketNumber) -> Any:
    return service.get(tx, project_id, number)


@router.patch(_BY_NUMBER, response_model=Ticket)
def update_ticket(
    tx: Write, project_id: ProjectId, number: TicketNumber, body: TicketUpdate
) -> Any:
    return queries.one(tx, service.update(tx, project_id, number, body).id)


@router.delete(_BY_NUMBER, status_code=204)
def delete_ticket(tx: Write, project_id: ProjectId, number: TicketNumber) -> None:
    service.delete(tx, project_id, number)


@router.post(f"{_BY_NUMBER}/claim", response_model=Ticket)
def claim_ticket(tx: Write, project_id: ProjectId, number: TicketNumber, body: ClaimCreate) -> Any:
    return claims.claim(tx, project_id, number, body)


@router.post(f"{_BY_NUMBER}/unclaim", response_model=Ticket)
def unclaim_ticket(
    tx: Write, project_id: ProjectId, number: TicketNumber, body: Unclaim | None = None
) -> Any:
    return claims.unclaim(tx, project_id, number, body or Unclaim())


@router.post(f"{_BY_NUMBER}/claim/extend", response_model=Ticket)
def extend_claim(
    tx: Write, project_id: ProjectId, number: TicketNumber, body: ClaimExtension
) -> Any:
    return claims.extend(tx, project_id, number, body.additional_minutes)


@router.post(f"{_BY_NUMBER}/view", response_model=TicketView)
def view_ticket(tx: Write, project_id: ProjectId, number: TicketNumber, body: ViewCreate) -> Any:
    return service.view(tx, project_id, number, body.profile_id)
