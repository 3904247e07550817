"""Subscriptions: a mark in the log per subscriber and event type, for clients that poll."""

from kombuse_plugins.events import queries
from kombuse_plugins.events.models import EventSubscriptionRow
from kombuse_plugins.events.schemas import SubscriptionCreate
from kombuse_sdk.contracts import Profiles, Projects
from kombuse_sdk.errors import BadRequest, NotFound
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row, WriteTx

__all__ = ["acknowledge", "create", "delete", "list_of", "pending"]


def list_of(tx: ReadTx, subscriber_id: str | None) -> JsonText:
    if subscriber_id is None:
        raise BadRequest("subscriber_id query parameter is required")
    return queries.subscriptions(tx, subscriber_id)


def create(tx: WriteTx, body: SubscriptionCreate) -> JsonText:
    """The same subscription again is the same row. A new one starts with the whole log."""
    tx.services.get(Profiles).require(tx, body.subscriber_id, "subscriber_id")
    project_id: str | None = None
    if "project_id" in body.model_fields_set:
        project_id = tx.services.get(Projects).require(tx, body.project_id)
    found = queries.subscription_id(tx, body.subscriber_id, body.event_type, project_id)
    if found is None:
        values = body.model_dump() | {"project_id": project_id}
        found = tx.insert(EventSubscriptionRow, **values, created_at=tx.now)
    return _shown(tx, found)


def pending(tx: ReadTx, subscription_id: int, limit: int | None) -> JsonText:
    row = _row(tx, subscription_id)
    shown = _shown(tx, subscription_id).data
    events = queries.pending(tx, row, limit).data
    return JsonText(b'{"subscription":%b,"events":%b}' % (shown, events))


def acknowledge(tx: WriteTx, subscription_id: int, event_id: int) -> None:
    """Move the mark forward, never back, and not beyond the newest event."""
    row = _row(tx, subscription_id)
    mark = min(event_id, queries.newest_id(tx))
    if mark > (row["last_processed_event_id"] or 0):
        tx.update(EventSubscriptionRow, subscription_id, last_processed_event_id=mark)


def delete(tx: WriteTx, subscription_id: int) -> None:
    if not tx.delete(EventSubscriptionRow, subscription_id):
        raise NotFound("Subscription not found")


def _row(tx: ReadTx, subscription_id: int) -> Row:
    return NotFound.unless(queries.subscription_row(tx, subscription_id), "Subscription")


def _shown(tx: ReadTx, subscription_id: int) -> JsonText:
    return NotFound.unless(queries.subscription(tx, subscription_id), "Subscription")
