"""Every SELECT over events and subscriptions.

The order of event ids is the order of their times. A plus before a column keeps SQLite from an
index that holds more events than the one of another filter, or that would have to be sorted.
"""

from functools import lru_cache

from kombuse_plugins.events.schemas import Event, EventFilter, EventSubscription
from kombuse_sdk.contracts import Comments, Tickets
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx, Row

__all__ = [
    "event",
    "newest_id",
    "of_ticket",
    "page",
    "pending",
    "subscription",
    "subscription_id",
    "subscription_row",
    "subscriptions",
    "timeline",
]

_SINCE = """e.id > ifnull((
    SELECT id FROM events WHERE created_at <= :since ORDER BY created_at DESC, id DESC LIMIT 1
), 0)"""
_SUBSCRIPTION = json_object(EventSubscription, "s")


def _event(tx: ReadTx, ticket_id: str = "e.ticket_id") -> str:
    """`ticket_id` is SQL; a parameter lets SQLite look the number up once for all rows."""
    tickets = tx.services.find(Tickets)
    return _event_object(tickets.number_sql(ticket_id) if tickets else "NULL")


@lru_cache(maxsize=8)
def _event_object(number: str) -> str:
    return json_object(Event, "e", ticket_number=number)


def _event_with_actor(tx: ReadTx, ticket_id: str = "e.ticket_id") -> str:
    return tx.kernel.joins("event").select(_event(tx, ticket_id))


def page(tx: ReadTx, query: EventFilter, project_id: str | None) -> JsonText:
    """`project_id` is the query's project, resolved. The first filter given is found by index."""
    where = Where(params={"limit": query.limit, "offset": query.offset})
    filters = {
        "ticket_id": query.ticket_id,
        "event_type": query.event_type,
        "actor_id": query.actor_id,
        "project_id": project_id,
        "actor_type": query.actor_type,
    }
    given = [(name, value) for name, value in filters.items() if value is not None]
    for place, (name, value) in enumerate(given):
        where.equal(f"{'+' if place else ''}e.{name}", **{name: value})
    if query.since is not None:
        where.add(_SINCE, since=query.since)
    tx.kernel.joins("event").apply(where, query.given())
    sql = f"""
        SELECT {_event_with_actor(tx)} FROM events e {where.sql}
        ORDER BY e.id DESC LIMIT :limit OFFSET :offset
    """
    return tx.json_list(sql, where.params)


def event(tx: ReadTx, event_id: int) -> JsonText | None:
    return tx.json(f"SELECT {_event_with_actor(tx)} FROM events e WHERE e.id = ?", (event_id,))


def of_ticket(tx: ReadTx, ticket_id: int) -> JsonText:
    sql = f"""
        SELECT {_event_with_actor(tx, ":ticket_id")} FROM events e WHERE e.ticket_id = :ticket_id
        ORDER BY e.id DESC
    """
    return tx.json_list(sql, {"ticket_id": ticket_id})


def timeline(tx: ReadTx, ticket_id: int) -> JsonText:
    """Oldest first; at one moment comments before events.

    One row: stepping through hundreds would hand the interpreter lock over at each of them.
    """
    parts = [
        f"""SELECT e.created_at AS at, 1 AS rank, e.id AS id,
            '{{"type":"event","timestamp":"' || e.created_at || '","data":'
            || {_event_with_actor(tx, ":ticket_id")} || '}}' AS item
            FROM events e WHERE e.ticket_id = :ticket_id"""
    ]
    comments = tx.services.find(Comments)
    if comments is not None:
        parts.append(comments.timeline_sql(tx))
    sql = f"""
        SELECT ifnull(group_concat(item), '') AS items, count(*) AS total
        FROM (SELECT item FROM ({" UNION ALL ".join(parts)}) ORDER BY at, rank, id)
    """
    row = tx.one(sql, {"ticket_id": ticket_id})
    assert row is not None
    return JsonText(f'{{"items":[{row["items"]}],"total":{row["total"]}}}'.encode())


def newest_id(tx: ReadTx) -> int:
    newest: int = tx.value("SELECT ifnull(max(id), 0) FROM events")
    return newest


def subscriptions(tx: ReadTx, subscriber_id: str) -> JsonText:
    sql = f"""
        SELECT {_SUBSCRIPTION} FROM event_subscriptions s WHERE s.subscriber_id = ?
        ORDER BY s.created_at DESC, s.id DESC
    """
    return tx.json_list(sql, (subscriber_id,))


def subscription(tx: ReadTx, subscription_id: int) -> JsonText | None:
    sql = f"SELECT {_SUBSCRIPTION} FROM event_subscriptions s WHERE s.id = ?"
    return tx.json(sql, (subscription_id,))


def subscription_row(tx: ReadTx, subscription_id: int) -> Row | None:
    return tx.one("SELECT * FROM event_subscriptions WHERE id = ?", (subscription_id,))


def subscription_id(
    tx: ReadTx, subscriber_id: str, event_type: str, project_id: str | None
) -> int | None:
    sql = """
        SELECT id FROM event_subscriptions
        WHERE subscriber_id = ? AND event_type = ? AND project_id IS ?
    """
    found: int | None = tx.value(sql, (subscriber_id, event_type, project_id))
    return found


def pending(tx: ReadTx, row: Row, limit: int | None) -> JsonText:
    """Events that the subscription `row` has not acknowledged."""
    where = Where(params={"limit": -1 if limit is None else limit})
    where.equal("e.event_type", event_type=row["event_type"])
    where.add("e.id > :seen", seen=row["last_processed_event_id"] or 0)
    where.equal("+e.project_id", project_id=row["project_id"])
    sql = f"SELECT {_event(tx)} FROM events e {where.sql} ORDER BY e.id LIMIT :limit"
    return tx.json_list(sql, where.params)
