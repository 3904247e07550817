"""/api/events, /api/subscriptions, and the events and timeline of a ticket"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.events import service, subscriptions
from kombuse_plugins.events.schemas import (
    Acknowledge,
    Acknowledged,
    EventCreate,
    EventFilter,
    EventSubscription,
    EventWithActor,
    Pending,
    PendingQuery,
    SubscriptionCreate,
    SubscriptionFilter,
    Timeline,
)
from kombuse_sdk.http import Db, ProjectId, Read, Router, TicketNumber, Write, integer_id

router = Router()
SubscriptionId = Annotated[int, integer_id("Invalid subscription ID")]
_TICKET = "/projects/{project_id}/tickets/by-number/{number}"


@router.get("/events", response_model=list[EventWithActor])
def list_events(tx: Read, query: Annotated[EventFilter, Query()]) -> Any:
    return service.page(tx, query)


@router.post("/events", status_code=201, response_model=EventWithActor)
def create_event(tx: Write, body: EventCreate) -> Any:
    return service.create(tx, body)


@router.get(f"{_TICKET}/events", response_model=list[EventWithActor])
async def list_ticket_events(db: Db, project_id: ProjectId, number: TicketNumber) -> Any:
    return await db.read_async(lambda tx: service.of_ticket(tx, project_id, number))


@router.get(f"{_TICKET}/timeline", response_model=Timeline)
async def get_timeline(db: Db, project_id: ProjectId, number: TicketNumber) -> Any:
    return await db.read_async(lambda tx: service.timeline(tx, project_id, number))


@router.get("/subscriptions", response_model=list[EventSubscription])
def list_subscriptions(tx: Read, query: Annotated[SubscriptionFilter, Query()]) -> Any:
    return subscriptions.list_of(tx, query.subscriber_id)


@router.post("/subscriptions", status_code=201, response_model=EventSubscription)
def create_subscription(tx: Write, body: SubscriptionCreate) -> Any:
    return subscriptions.create(tx, body)


@router.get("/subscriptions/{subscription_id}/events", response_model=Pending)
async def list_pending_events(
    db: Db, subscription_id: SubscriptionId, query: Annotated[PendingQuery, Query()]
) -> Any:
    return await db.read_async(lambda tx: subscriptions.pending(tx, subscription_id, query.limit))


@router.post("/subscriptions/{subscription_id}/acknowledge", response_model=Acknowledged)
def acknowledge_events(tx: Write, subscription_id: SubscriptionId, body: Acknowledge) -> Any:
    subscriptions.acknowledge(tx, subscription_id, body.last_event_id)
    return Acknowledged(success=True)


@router.delete("/subscriptions/{subscription_id}", status_code=204)
def delete_subscription(tx: Write, subscription_id: SubscriptionId) -> None:
    subscriptions.delete(tx, subscription_id)
