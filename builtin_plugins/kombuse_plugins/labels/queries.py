"""Every SELECT over labels."""

import json
from collections.abc import Sequence

from kombuse_plugins.labels.schemas import LabelFilter
from kombuse_sdk import Column, Filter
from kombuse_sdk.contracts.labels import Label
from kombuse_sdk.schemas import QueryIntList
from kombuse_sdk.sql import JsonText, Where, like
from kombuse_sdk.storage import ReadTx, Row

__all__ = [
    "CARRIES_LABELS",
    "LABELS_OF_TICKET",
    "attached",
    "count_in_project",
    "enabled_among",
    "ids_of_plugin",
    "is_attached",
    "of_project",
    "of_ticket",
    "one",
    "page",
    "row",
    "slug_clashes",
    "slug_is_taken",
]

_COLUMNS = ", ".join(f"l.{name}" for name in Label.model_fields)
_ATTACHED = "ticket_labels tl CROSS JOIN labels l ON l.id = tl.label_id"
_ORDERS = {
    "name": "l.name, l.id",
    "usage_count": "l.usage_count DESC, l.name, l.id",
    "open_usage_count": "l.open_usage_count DESC, l.name, l.id",
}

LABELS_OF_TICKET = Column(
    name="labels",
    sql="ifnull((SELECT wire FROM ticket_label_lists WHERE ticket_id = t.id), '[]')",
    type=list[Label],
)

_WANTED = "WITH wanted AS MATERIALIZED (SELECT value AS id FROM json_each(:label_ids))"


def _lacks(ticket_id: str) -> str:
    """Whether the ticket lacks one of the wanted labels."""
    return f"""
        SELECT 1 FROM wanted w WHERE NOT EXISTS (
            SELECT 1 FROM ticket_labels other
            WHERE other.ticket_id = {ticket_id} AND other.label_id = w.id
        )
    """


# A label on few tickets leads to them. One on many tickets is soon met on the way through the list.
CARRIES_LABELS = Filter(
    param="label_ids",
    type=QueryIntList,
    sql=f"NOT EXISTS ({_WANTED} {_lacks('t.id')})",
    seek=f"""
        t.id IN (
            {_WANTED} SELECT tl.ticket_id FROM ticket_labels tl
            WHERE tl.label_id = (
                SELECT l.id FROM labels l WHERE l.id IN (SELECT id FROM wanted)
                ORDER BY l.usage_count LIMIT 1
            ) AND NOT EXISTS ({_lacks("tl.ticket_id")})
        )
    """,
    at_most="""(
        SELECT min(l.usage_count) FROM labels l
        WHERE l.id IN (SELECT value FROM json_each(:label_ids))
    )""",
    description="Ids separated by commas: tickets that carry all of these labels",
    convert=lambda label_ids: json.dumps(list(dict.fromkeys(label_ids))),
)


def one(tx: ReadTx, label_id: int) -> JsonText | None:
    return tx.json("SELECT wire FROM labels WHERE id = ?", (label_id,))


def row(tx: ReadTx, label_id: int) -> Row | None:
    return tx.one(f"SELECT {_COLUMNS} FROM labels l WHERE l.id = ?", (label_id,))


def page(tx: ReadTx, project_id: str, query: LabelFilter) -> JsonText:
    where = Where()
    where.equal("l.project_id", project_id=project_id)
    where.equal("l.is_enabled", is_enabled=query.is_enabled)
    if query.search:
        where.add(
            r"(l.name LIKE :search ESCAPE '\' OR l.description LIKE :search ESCAPE '\')",
            search=like(query.search),
        )
    item, order = "l.wire", "name"
    if query.sort == "usage":
        order = "open_usage_count" if query.usage_scope == "open" else "usage_count"
        item = f"""rtrim(l.wire, '}}') || ',"usage_count":' || l.{order} || '}}'"""
    sql = f"SELECT {item} FROM labels l {where.sql} ORDER BY {_ORDERS[order]}"
    return tx.json_list(sql, where.params)


def slug_is_taken(tx: ReadTx, project_id: str, slug: str) -> bool:
    sql = "SELECT 1 FROM labels WHERE project_id = ? AND slug = ? AND plugin_id IS NULL"
    return tx.value(sql, (project_id, slug)) is not None


def of_project(tx: ReadTx, project_id: str) -> list[Row]:
    sql = f"SELECT {_COLUMNS} FROM labels l WHERE l.project_id = ? ORDER BY l.name, l.id"
    return tx.all(sql, (project_id,))


def ids_of_plugin(tx: ReadTx, plugin_id: str) -> list[int]:
    return tx.values("SELECT id FROM labels WHERE plugin_id = ?", (plugin_id,))


def slug_clashes(tx: ReadTx, label_ids: Sequence[int]) -> list[Row]:
    """Those of the labels, by id, whose slug a label of the project itself has: `other_id`."""
    sql = """
        SELECT l.id, other.id AS other_id
        FROM labels l JOIN labels other ON other.project_id = l.project_id AND other.slug = l.slug
        WHERE l.id IN (SELECT value FROM json_each(?)) AND l.plugin_id IS NOT NULL
            AND other.plugin_id IS NULL
    """
    return tx.all(sql, (json.dumps(label_ids),))


def count_in_project(tx: ReadTx, project_id: str, label_ids: Sequence[int]) -> int:
    sql = """
        SELECT count(*) FROM labels
        WHERE project_id = ? AND id IN (SELECT value FROM json_each(?))
    """
    found: int = tx.value(sql, (project_id, json.dumps(label_ids)))
    return found


def enabled_among(tx: ReadTx, project_id: str, label_ids: Sequence[int]) -> list[int]:
    sql = """
        SELECT id FROM labels
        WHERE project_id = ? AND is_enabled AND id IN (SELECT value FROM json_each(?)) ORDER BY id
    """
    return tx.values(sql, (project_id, json.dumps(label_ids)))


def is_attached(tx: ReadTx, ticket_id: int, label_id: int) -> bool:
    sql = "SELECT 1 FROM ticket_labels WHERE ticket_id = ? AND label_id = ?"
    return tx.value(sql, (ticket_id, label_id)) is not None


def attached(tx: ReadTx, ticket_id: int) -> JsonText:
    sql = f"SELECT l.wire FROM {_ATTACHED} WHERE tl.ticket_id = ? ORDER BY l.name, l.id"
    return tx.json_list(sql, (ticket_id,))


def of_ticket(tx: ReadTx, ticket_id: int) -> list[Row]:
    sql = f"SELECT {_COLUMNS} FROM {_ATTACHED} WHERE tl.ticket_id = ? ORDER BY l.name, l.id"
    return tx.all(sql, (ticket_id,))
