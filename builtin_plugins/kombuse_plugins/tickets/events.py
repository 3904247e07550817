"""What happens to tickets, as the audit log calls it."""

from kombuse_sdk import EventType

__all__ = ["EVENT_TYPES"]

_CHANGED = ("changes", "status", "priority", "assignee_id", "milestone_id")

EVENT_TYPES = (
    EventType(name="ticket.created", description="A ticket was created", payload=("title",)),
    EventType(name="ticket.updated", description="Fields were changed", payload=_CHANGED),
    EventType(name="ticket.closed", description="The status became closed", payload=_CHANGED),
    EventType(name="ticket.reopened", description="A ticket left closed", payload=_CHANGED),
    EventType(
        name="ticket.claimed", description="A profile took the ticket", payload=("claimed_by_id",)
    ),
    EventType(
        name="ticket.unclaimed",
        description="A claim was given up",
        payload=("previous_claimer_id",),
    ),
)
