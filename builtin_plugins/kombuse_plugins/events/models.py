"""The event_subscriptions table. The events table is the kernel's: rows are made by `tx.emit`."""

from sqlalchemy import MetaData
from sqlmodel import Field

from kombuse_sdk.tables import Table

__all__ = ["EventSubscriptionRow"]


class EventSubscriptionRow(Table, table=True):
    __tablename__ = "event_subscriptions"
    metadata = MetaData()

    id: int | None = Field(default=None, primary_key=True)
    subscriber_id: str
    event_type: str
    project_id: str | None
    last_processed_event_id: int | None
    created_at: str
