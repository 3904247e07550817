"""Full-text search over titles, bodies and comments.

A ticket matches when all words occur in its title and body together, or all in one comment. In
the order of relevance come: the ticket with the number searched for; tickets by bm25; tickets of
which only a comment matches, the latest change first.

What makes it quick however many tickets match: of more than `RANKED` matches only the newest are
ranked (a word in so many tickets tells them apart no more), the others follow by age. In an order
of the list, and among comments, many matches are not collected and sorted either: tickets are
taken in that order, a slice at a time, until enough of them match. Excerpts are made for the page
alone.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from kombuse_plugins.tickets import excerpts, queries
from kombuse_plugins.tickets.excerpts import LONG
from kombuse_plugins.tickets.queries import Order, Selection
from kombuse_plugins.tickets.schemas import TicketFilter
from kombuse_sdk.contracts.comments import Comments
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, Row

__all__ = ["Search", "page", "parse"]

RANKED = 5_000
COLLECTED = 5_000
FIRST_SLICE = 500
Context = tuple[int, str | None, str | None]
_DROPPED = str.maketrans(dict.fromkeys('"()*^{}\0'))
_OPERATORS = frozenset({"AND", "OR", "NOT", "NEAR"})
_NUMBER = re.compile(r"#?([0-9]{1,15})")
_TEXT_IDS = "SELECT rowid FROM tickets_fts WHERE tickets_fts MATCH :match"
_GIVEN = "SELECT value FROM json_each(:ids)"
# A column with marks differs from itself exactly when something in it matched. A text that is too
# long for these functions is fetched whole.
_EXCERPTS = f"""
    SELECT rowid, is_long, iif(is_long, body, marked_body) AS body,
        iif(is_long, title, marked_title) AS title
    FROM (
        SELECT rowid, title, body, length(title) + length(ifnull(body, '')) > {LONG} AS is_long,
            CASE WHEN length(title) + length(ifnull(body, '')) <= {LONG} THEN
                iif(highlight(tickets_fts, 1, '«', '') != body,
                    snippet(tickets_fts, 1, '«', '»', '…', 64), NULL) END AS marked_body,
            CASE WHEN length(title) + length(ifnull(body, '')) <= {LONG} THEN
                highlight(tickets_fts, 0, '«', '»') END AS marked_title
        FROM tickets_fts WHERE tickets_fts MATCH :match AND +rowid IN ({_GIVEN})
    )
"""


@dataclass(frozen=True, slots=True)
class Search:
    """What a search text asks for: an FTS5 query, and the ticket number that it may be."""

    match: str
    number: int | None
    words: tuple[str, ...]


def parse(text: str) -> Search | None:
    """Words become prefixes that must all occur; None when nothing is left to search for."""
    words = [word for word in text.translate(_DROPPED).split() if word.upper() not in _OPERATORS]
    if not words:
        return None
    number = _NUMBER.fullmatch(" ".join(words))
    match = " ".join(f'"{word}" *' for word in words)
    return Search(match, int(number[1]) if number else None, tuple(words))


def page(tx: ReadTx, query: TicketFilter, **contributed: Any) -> JsonText:
    search = parse(query.search or "")
    if search is None:
        return queries.page(tx, query, **contributed)
    selection = queries.select(tx, query, contributed)
    if selection is None:
        return JsonText(b"[]")
    finder = _Finder(tx, search, selection, query.offset + query.limit)
    if query.sort_by is None:
        found = finder.by_relevance()
    else:
        found = finder.in_order(Order(query.sort_by, query.sort_order or "desc"))
    ids = list(islice(found, query.offset, query.offset + query.limit))
    answer = _rows(tx, selection, _contexts(tx, search, ids))
    answer.is_volatile = query.expired_claims is not None
    return answer


class _Finder:
    """Ids of the tickets of a selection that match, lazily, at least the `wanted` first."""

    def __init__(self, tx: ReadTx, search: Search, selection: Selection, wanted: int) -> None:
        self._tx = tx
        self._selection = selection
        self._comments = tx.services.find(Comments)
        self._params = selection.where.params | {"match": search.match, "number": search.number}
        self._numbered = [] if search.number is None else self._by_number()
        self._params["wanted"] = wanted + len(self._numbered)

    def by_relevance(self) -> Iterator[int]:
        seen: set[int] = set()
        for ids in (self._numbered, self._ranked(), self._unranked(), self._commented()):
            for ticket_id in ids:
                if ticket_id not in seen:
                    seen.add(ticket_id)
                    yield ticket_id

    def in_order(self, order: Order) -> Iterator[int]:
        return self._ordered(order, self._numbered, _TEXT_IDS, self._comment_ids())

    def _by_number(self) -> list[int]:
        """In one project or, without a filter for it, in all."""
        conditions = ["t.ticket_number = :number"]
        if self._selection.project_id is None:
            conditions.append("t.project_id IN (SELECT DISTINCT project_id FROM ticket_counts)")
        return self._ids(f"SELECT t.id {self._selection.over('tickets t', *conditions)}")

    def _text(self, columns: str) -> str:
        source = "tickets_fts CROSS JOIN tickets t ON t.id = tickets_fts.rowid"
        matching = self._selection.over(source, "tickets_fts MATCH :match")
        return f"SELECT {columns} {matching} ORDER BY tickets_fts.rowid DESC"

    def _ranked(self) -> Iterator[int]:
        text = self._text("t.id, tickets_fts.rank AS rank")
        yield from self._ids(
            f"SELECT id FROM ({text} LIMIT {RANKED}) ORDER BY rank, id DESC LIMIT :wanted"
        )

    def _unranked(self) -> Iterator[int]:
        yield from self._ids(f"{self._text('t.id')} LIMIT :wanted OFFSET {RANKED}")

    def _commented(self) -> Iterator[int]:
        if self._comments is not None:
            yield from self._ordered(Order("updated_at", "desc"), [], self._comment_ids())

    def _comment_ids(self) -> str | None:
        return self._comments.matching_sql() if self._comments is not None else None

    def _ordered(self, order: Order, also: Sequence[int], *sources: str | None) -> Iterator[int]:
        """Those that are in one of the sources of ids, and `also` these."""
        matching = " UNION ALL ".join(source for source in sources if source is not None)
        probe = f"SELECT count(*) FROM (SELECT 1 FROM ({matching}) LIMIT {COLLECTED + 1})"
        if self._tx.value(probe, self._params) > COLLECTED:
            yield from self._sliced(order, set(also), with_text=_TEXT_IDS in sources)
            return
        self._params["also"] = json.dumps(also)
        matching += " UNION ALL SELECT value FROM json_each(:also)"
        found = self._selection.over("tickets t", f"t.id IN ({matching})", project="+t.project_id")
        yield from self._ids(f"SELECT t.id {found} ORDER BY {order.sql('+t.')}")

    def _sliced(self, order: Order, also: set[int], *, with_text: bool) -> Iterator[int]:
        start, size = 0, FIRST_SLICE
        walk = f"SELECT t.id {self._selection.walk(order)} ORDER BY {order.sql()}"
        while True:
            self._params |= {"start": start, "size": size}
            ids = self._ids(f"{walk} LIMIT :size OFFSET :start")
            hits = also | (
                self._hits(f"{_TEXT_IDS} AND +rowid IN ({_GIVEN})", ids) if with_text else set()
            )
            if self._comments is not None:
                rest = [ticket_id for ticket_id in ids if ticket_id not in hits]
                hits |= self._hits(self._comments.matching_among_sql(_GIVEN), rest)
            yield from (ticket_id for ticket_id in ids if ticket_id in hits)
            if len(ids) < size:
                return
            start, size = start + size, size * 10

    def _hits(self, sql: str, ids: Sequence[int]) -> set[int]:
        return set(self._tx.values(sql, self._params | {"ids": json.dumps(ids)})) if ids else set()

    def _ids(self, sql: str) -> list[int]:
        return self._tx.values(sql, self._params)


def _contexts(tx: ReadTx, search: Search, ids: Sequence[int]) -> list[Context]:
    """Where each ticket matches, and the excerpt around it."""
    params = {"match": search.match, "ids": json.dumps(ids)}
    text = {row["rowid"]: _context(row, search) for row in tx.all(_EXCERPTS, params)}
    rest = [i for i in ids if i not in text or text[i][2] != "body"]
    comments = tx.services.find(Comments)
    if rest and comments is not None:
        params["ids"] = json.dumps(rest)
        for row in tx.all(comments.snippets_sql(_GIVEN), params):
            snippet = row["snippet"]
            if row["is_whole"]:
                snippet = excerpts.around(snippet, excerpts.first_hit(snippet, search.words))
            text[row["ticket_id"]] = (row["ticket_id"], snippet, "comment")
    return [text.get(ticket_id, (ticket_id, None, None)) for ticket_id in ids]


def _context(row: Row, search: Search) -> Context:
    """Of a ticket whose own text matched."""
    ticket_id, body, title = row["rowid"], row["body"], row["title"]
    if not row["is_long"]:
        return (ticket_id, title, "title") if body is None else (ticket_id, body, "body")
    hit = None if body is None else excerpts.first_hit(body, search.words)
    if hit is not None:
        return ticket_id, excerpts.around(body, hit), "body"
    return ticket_id, excerpts.around(title, excerpts.first_hit(title, search.words)), "title"


def _rows(tx: ReadTx, selection: Selection, contexts: Sequence[Context]) -> JsonText:
    extra = "|| ',\"match_context\":' || (p.value -> 1) || ',\"match_source\":' || (p.value -> 2)"
    sql = f"""
        SELECT {queries.row_sql(tx, selection.given, extra)}
        FROM json_each(:page) p CROSS JOIN tickets t ON t.id = p.value ->> 0
        ORDER BY p.key
    """
    return tx.json_list(sql, selection.where.params | {"page": json.dumps(contexts)})
