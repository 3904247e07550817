"""Tickets, for plugins that hang something on them."""

from dataclasses import dataclass
from typing import Protocol

from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["TicketRef", "TicketSwitches", "Tickets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRef:
    """Where a ticket is: its row id and its canonical address."""

    id: int
    project_id: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketSwitches:
    """What a ticket says about agents: whether they start, and whether loops are stopped."""

    triggers_enabled: bool
    loop_protection_enabled: bool


class Tickets(Protocol):
    def get(self, tx: ReadTx, project_id: str, number: int) -> JsonText:
        """The ticket as the API answers it, with all that plugins join to it; NotFound."""
        ...

    def require(self, tx: ReadTx, project_id: str, number: int) -> TicketRef:
        """The ticket with this number of a project; NotFound `Ticket not found`."""
        ...

    def find(self, tx: ReadTx, project_id: str, number: int) -> TicketRef | None: ...

    def by_id(self, tx: ReadTx, ticket_id: int) -> TicketRef | None: ...

    def switches(self, tx: ReadTx, ticket_id: int) -> TicketSwitches | None: ...

    def number_sql(self, ticket_id: str) -> str:
        """SQL for the number of the ticket that the SQL `ticket_id` names; NULL if it is gone."""
        ...

    def touch(self, tx: WriteTx, ticket_id: int) -> None:
        """Activity on the ticket now: it becomes unread for everybody who saw it earlier."""
        ...

    def mark_viewed(self, tx: WriteTx, ticket_id: int, profile_id: str) -> None:
        """The profile has seen everything up to now."""
        ...
