"""Claims: one profile at a time works on a ticket, for a while.

A claim expires by itself: nothing clears it, but another profile may then take the ticket, even
when the expired claim had made its holder the assignee. An assignment to anybody else keeps others
away. Claims never change the status.
"""

from datetime import datetime, timedelta

from kombuse_plugins.tickets import queries, service, views
from kombuse_plugins.tickets.schemas import ClaimCreate, Unclaim
from kombuse_sdk.contracts.profiles import Profiles
from kombuse_sdk.contracts.tickets import TicketRef
from kombuse_sdk.errors import BadRequest, Conflict
from kombuse_sdk.events import ActorType, Event
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = ["claim", "extend", "unclaim"]

_CLAIM = """
    UPDATE tickets SET
        claimed_by_id = :claimer, claimed_at = :now, claim_expires_at = :expires,
        assignee_id = :claimer, updated_at = :now, last_activity_at = :now
    WHERE id = :id
    AND (claimed_by_id IS NULL OR claimed_by_id = :claimer OR claim_expires_at < :now)
    AND (assignee_id IS NULL OR assignee_id = :claimer
         OR (assignee_id = claimed_by_id AND claim_expires_at < :now))
"""
_UNCLAIM = """
    UPDATE tickets SET claimed_by_id = NULL, claimed_at = NULL, claim_expires_at = NULL,
        updated_at = :now, last_activity_at = :now
    WHERE id = :id
"""
_EXTEND = """
    UPDATE tickets SET claim_expires_at = :expires, updated_at = :now, last_activity_at = :now
    WHERE id = :id
"""
_STATE = "SELECT assignee_id, claimed_by_id, claim_expires_at FROM tickets WHERE id = ?"


def claim(tx: WriteTx, project_id: str, number: int, body: ClaimCreate) -> JsonText:
    ticket = service.require(tx, project_id, number)
    claimer = body.claimer_id
    actor_type = tx.services.get(Profiles).require(tx, claimer, "claimer_id")
    minutes = body.duration_minutes
    expires = None if minutes is None else _after(tx.now, minutes)
    params = {"id": ticket.id, "claimer": claimer, "now": tx.now, "expires": expires}
    if not tx.execute(_CLAIM, params):
        raise _refusal(tx, ticket, _why_not(tx, _state(tx, ticket), claimer))
    views.mark(tx, ticket.id, claimer)
    _emit(tx, ticket, "ticket.claimed", claimer, actor_type, claimed_by_id=claimer)
    return queries.one(tx, ticket.id)


def unclaim(tx: WriteTx, project_id: str, number: int, body: Unclaim) -> JsonText:
    ticket = service.require(tx, project_id, number)
    holder = _state(tx, ticket)["claimed_by_id"]
    requester = body.requester_id
    profiles = tx.services.get(Profiles)
    actor_type = profiles.require(tx, requester, "requester_id") if requester else "user"
    if holder is None:
        raise _refusal(tx, ticket, "Ticket is not claimed")
    if requester and requester != holder and not body.force:
        raise _refusal(tx, ticket, "Only the current claimer can unclaim this ticket")
    tx.execute(_UNCLAIM, {"id": ticket.id, "now": tx.now})
    _emit(tx, ticket, "ticket.unclaimed", requester, actor_type, previous_claimer_id=holder)
    return queries.one(tx, ticket.id)


def extend(tx: WriteTx, project_id: str, number: int, minutes: int) -> JsonText:
    """From the expiry on, or from now when that has passed or there is none."""
    ticket = service.require(tx, project_id, number)
    state = _state(tx, ticket)
    if state["claimed_by_id"] is None:
        raise _refusal(tx, ticket, "Ticket is not claimed")
    expires = _after(max(state["claim_expires_at"] or "", tx.now), minutes)
    tx.execute(_EXTEND, {"id": ticket.id, "expires": expires, "now": tx.now})
    return queries.one(tx, ticket.id)


def _state(tx: ReadTx, ticket: TicketRef) -> Row:
    row = tx.one(_STATE, (ticket.id,))
    assert row is not None
    return row


def _why_not(tx: ReadTx, state: Row, claimer: str) -> str:
    assignee, holder, expires = state
    expired = expires is not None and expires < tx.now
    if assignee not in (None, claimer) and not (assignee == holder and expired):
        return f"Ticket assigned to {assignee}"
    if holder not in (None, claimer) and not expired:
        return f"Ticket already claimed by {holder}"
    return "Ticket could not be claimed"


def _refusal(tx: ReadTx, ticket: TicketRef, message: str) -> Conflict:
    return Conflict(message, ticket=queries.one(tx, ticket.id).load())


def _after(moment: str, minutes: int) -> str:
    """Claims end with a whole second, so that claiming again at once does not move the end."""
    try:
        end = datetime.fromisoformat(moment) + timedelta(minutes=minutes, milliseconds=999)
        return timestamp(end.replace(microsecond=0))
    except OverflowError:
        raise BadRequest("The claim would end after the year 9999") from None


def _emit(
    tx: WriteTx,
    ticket: TicketRef,
    event_type: str,
    actor_id: str | None,
    actor_type: ActorType,
    **payload: str,
) -> None:
    tx.emit(
        Event(
            event_type=event_type,
            project_id=ticket.project_id,
            ticket_id=ticket.id,
            actor_id=actor_id,
            actor_type=actor_type,
            payload=payload,
        )
    )
