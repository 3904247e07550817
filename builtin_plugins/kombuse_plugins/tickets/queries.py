"""The SELECTs over tickets, save those of the search.

Every order of the list has an index that holds it (`tickets_created_at`, `tickets_project_...`),
and the first page is found by walking along it. The index is named, so that the plan does not hang
on whether the database was ever analysed. A walk is long when few of many tickets pass the filter;
these few (at most `FEW`) are found by an index of the filter and sorted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kombuse_plugins.tickets.schemas import (
    SortBy,
    SortOrder,
    TicketFilter,
    TicketWithRelations,
)
from kombuse_sdk.contracts.projects import Projects
from kombuse_sdk.contracts.tickets import TicketRef
from kombuse_sdk.sql import JsonText, Where
from kombuse_sdk.storage import ReadTx, Row

__all__ = [
    "Order",
    "Selection",
    "by_number",
    "counts",
    "one",
    "page",
    "ref",
    "related",
    "row",
    "row_sql",
    "select",
]

FEW = 1000
_BODY = """|| ',"body":' || json_quote(t.body)"""
_ONE = f"SELECT rtrim(t.wire, '}}') {_BODY} || '}}' FROM tickets t WHERE t.id = ?"
_REF = "SELECT id FROM tickets WHERE project_id = ? AND ticket_number = ?"
_ROW = "SELECT * FROM tickets WHERE project_id = ? AND ticket_number = ?"
_COUNTS = """
    SELECT json_object(
        'open', ifnull(max(n) FILTER (WHERE status = 'open'), 0),
        'in_progress', ifnull(max(n) FILTER (WHERE status = 'in_progress'), 0),
        'blocked', ifnull(max(n) FILTER (WHERE status = 'blocked'), 0),
        'closed', ifnull(max(n) FILTER (WHERE status = 'closed'), 0)
    ) FROM ticket_counts WHERE project_id = ?
"""


def one(tx: ReadTx, ticket_id: int) -> JsonText:
    found = tx.json(_ONE, (ticket_id,))
    assert found is not None
    return found


def by_number(tx: ReadTx, project_id: str, number: int) -> Row | None:
    """`id`, `loop_protection_enabled`, and the ticket as `wire`."""
    where = "WHERE t.project_id = ? AND t.ticket_number = ?"
    sql = f"SELECT t.id, t.loop_protection_enabled, {row_sql(tx)} AS wire FROM tickets t {where}"
    return tx.one(sql, (project_id, number))


def related(tx: ReadTx, ticket_id: int) -> JsonText:
    found = tx.json(f"SELECT {row_sql(tx)} FROM tickets t WHERE t.id = ?", (ticket_id,))
    assert found is not None
    return found


def ref(tx: ReadTx, project_id: str, number: int) -> TicketRef | None:
    ticket_id = tx.value(_REF, (project_id, number))
    if ticket_id is None:
        return None
    return TicketRef(id=ticket_id, project_id=project_id, number=number)


def row(tx: ReadTx, project_id: str, number: int) -> Row | None:
    return tx.one(_ROW, (project_id, number))


def counts(tx: ReadTx, project_id: str | None) -> JsonText:
    found = tx.json(_COUNTS, (project_id,))
    assert found is not None
    return found


def row_sql(tx: ReadTx, given: Mapping[str, Any] | None = None, extra: str = "") -> str:
    """JSON text of the ticket `t` with all that plugins join to it."""
    return tx.kernel.joins(TicketWithRelations.joined_kind).select(
        "t.wire", given, f"{_BODY} {extra}"
    )


@dataclass(frozen=True, slots=True)
class Order:
    """An order of the list; the id decides between equals, in the direction of the main key.

    Tickets without a priority come last both ways. Those never closed count as closed before all.
    """

    sort_by: SortBy = "last_activity_at"
    sort_order: SortOrder = "desc"

    def sql(self, prefix: str = "t.") -> str:
        last = " NULLS LAST" if self.sort_by == "priority" and self.sort_order == "asc" else ""
        key = f"{prefix}{self.sort_by} {self.sort_order}{last}"
        return f"{key}, {prefix}id {self.sort_order}"


@dataclass(frozen=True, slots=True)
class Selection:
    """The tickets that pass the filters of a request.

    `is_narrow` says that there may be few of them among many; `index` is that of the filter to find
    those by, if it is one of ours.
    """

    where: Where
    given: Mapping[str, Any]
    project_id: str | None
    is_narrow: bool
    index: str | None

    def over(self, source: str, *conditions: str, project: str = "t.project_id") -> str:
        """FROM and WHERE over a source that holds `t`; `project` is its column in the filter."""
        scope = () if self.project_id is None else (f"{project} = :project_id",)
        everything = " AND ".join((*conditions, *scope, *self.where.conditions))
        return f"FROM {source} WHERE {everything or 'TRUE'}"

    def walk(self, order: Order) -> str:
        """All of them along the index of the order, which is to follow."""
        scope = "" if self.project_id is None else "project_"
        return self.over(f"tickets t INDEXED BY tickets_{scope}{order.sort_by}")

    def found(self) -> str:
        """All of them by the index of a filter; that of the project would find too many."""
        if self.index is not None:
            return self.over(f"tickets t INDEXED BY {self.index}")
        return self.over("tickets t", project="+t.project_id")

    def is_few(self, tx: ReadTx) -> bool:
        if not self.is_narrow:
            return False
        sql = f"SELECT count(*) FROM (SELECT 1 {self.found()} LIMIT {FEW + 1})"
        return int(tx.value(sql, self.where.params)) <= FEW


def select(tx: ReadTx, query: TicketFilter, contributed: Mapping[str, Any]) -> Selection | None:
    """What the filters leave; None when they name a project that does not exist."""
    given = {**query.given(), **contributed}
    where = Where(params={"now": tx.now})
    project_id = None
    if query.project_id is not None:
        project_id = tx.services.get(Projects).resolve(tx, query.project_id)
        if project_id is None:
            return None
        where.params["project_id"] = project_id
    where.equal("t.status", status=query.status)
    where.equal("t.priority", priority=query.priority)
    where.equal("t.author_id", author_id=query.author_id)
    where.equal("t.assignee_id", assignee_id=query.assignee_id)
    where.equal("t.claimed_by_id", claimed_by_id=query.claimed_by_id)
    if query.unclaimed is not None:
        where.add(f"t.claimed_by_id IS {'' if query.unclaimed else 'NOT '}NULL")
    if query.expired_claims is not None:
        expired = "t.claim_expires_at < :now"
        unexpired = "(t.claim_expires_at IS NULL OR t.claim_expires_at >= :now)"
        where.add(expired if query.expired_claims else unexpired)
    is_joined = tx.kernel.joins(TicketFilter.joined_kind).apply(where, given, tx)
    index = None if is_joined else _index(query)
    return Selection(where, given, project_id, is_joined or index is not None, index)


def _index(query: TicketFilter) -> str | None:
    """The index of the filter that is likely to leave the least."""
    if query.expired_claims:
        return "tickets_claim_expiry"
    if query.claimed_by_id is not None:
        return "tickets_claimer"
    if query.assignee_id is not None:
        return "tickets_assignee"
    if query.author_id is not None:
        return "tickets_author"
    return "tickets_claimer" if query.unclaimed is not None else None


def page(tx: ReadTx, query: TicketFilter, **contributed: Any) -> JsonText:
    """The list without a search; `contributed` are values for filters of other plugins."""
    selection = select(tx, query, contributed)
    if selection is None:
        return JsonText(b"[]")
    order = Order(query.sort_by or "last_activity_at", query.sort_order or "desc")
    row = row_sql(tx, selection.given)
    cut = "LIMIT :limit OFFSET :offset"
    if selection.is_few(tx):
        # The rows are made after the cut: a sort would make them all.
        cut_out = f"SELECT t.id {selection.found()} ORDER BY {order.sql('+t.')} {cut}"
        sql = f"SELECT {row} FROM tickets t WHERE t.id IN ({cut_out}) ORDER BY {order.sql('+t.')}"
    else:
        sql = f"SELECT {row} {selection.walk(order)} ORDER BY {order.sql()} {cut}"
    params = selection.where.params | {"limit": query.limit, "offset": query.offset}
    answer = tx.json_list(sql, params)
    answer.is_volatile = query.expired_claims is not None
    return answer
