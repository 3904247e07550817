"""The tables of tickets and of who has seen them."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["TicketRow", "TicketViewRow"]

_metadata = MetaData()


class TicketRow(Table, table=True):
    __tablename__ = "tickets"
    metadata = _metadata

    id: int | None = Field(default=None, primary_key=True)
    project_id: str
    ticket_number: int
    author_id: str
    assignee_id: str | None
    claimed_by_id: str | None
    status: str
    priority: int | None
    milestone_id: int | None
    triggers_enabled: bool
    loop_protection_enabled: bool
    claimed_at: str | None
    claim_expires_at: str | None
    created_at: str
    updated_at: str
    opened_at: str
    closed_at: str | None
    last_activity_at: str
    external_source: str | None
    external_id: str | None
    external_url: str | None
    synced_at: str | None
    title: str
    body: str | None


class TicketViewRow(Table, table=True):
    __tablename__ = "ticket_views"
    metadata = _metadata

    id: int | None = Field(default=None, primary_key=True)
    ticket_id: int
    profile_id: str
    last_viewed_at: str
