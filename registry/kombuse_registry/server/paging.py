"""Pages of lists: a limit, a cursor that names the last entry, and the address of the next page."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused

__all__ = ["MOST", "Page", "PageRequest", "page_request", "read_page"]

MOST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """`after` has the sort values of the last entry of the page before."""

    limit: int
    after: tuple[Any, ...] | None
    path: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The items, JSON texts as a rule, and where the list goes on."""

    items: Sequence[Any]
    next_cursor: str | None
    link: str | None

    @property
    def text(self) -> str:
        return f"[{','.join(self.items)}]"

    @property
    def headers(self) -> dict[str, str]:
        return {"Link": self.link} if self.link else {}


def page_request(path: str, query: Mapping[str, str], keys: Sequence[type]) -> PageRequest:
    """`keys` are the types of the sort values. Raises Refused 400."""
    text = query.get("limit") or str(MOST)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise Refused(400, "INVALID_LIMIT", "limit must be a whole number from 1")
    after = _decoded(query["cursor"], keys) if query.get("cursor") else None
    return PageRequest(limit=min(int(text), MOST), after=after, path=path, query=query)


def read_page(
    tx: Tx,
    asked: PageRequest,
    item: str,
    source: str,
    conditions: Sequence[str],
    order: Sequence[str],
    params: Mapping[str, Any],
    *,
    descending: bool = False,
) -> Page:
    """`item` is an expression, of JSON text as a rule, `order` columns that are unique together."""
    where, given = list(conditions), dict(params)
    if asked.after is not None:
        marks = [f":after{number}" for number in range(len(order))]
        sign = "<" if descending else ">"
        where.append(f"({', '.join(order)}) {sign} ({', '.join(marks)})")
        given |= {f"after{number}": value for number, value in enumerate(asked.after)}
    direction = " DESC" if descending else ""
    rows = tx.all(
        f"SELECT {item}, {', '.join(order)} FROM {source} WHERE {' AND '.join(where) or '1'} "
        f"ORDER BY {', '.join(column + direction for column in order)} LIMIT :rows",
        given | {"rows": asked.limit + 1},
    )
    has_more = len(rows) > asked.limit
    rows = rows[: asked.limit]
    cursor = _encoded(tuple(rows[-1])[1:]) if has_more else None
    link = None
    if cursor is not None:
        query = {**asked.query, "cursor": cursor}
        link = f'<{asked.path}?{urlencode(query)}>; rel="next"'
    return Page(items=[row[0] for row in rows], next_cursor=cursor, link=link)


def _encoded(values: tuple[Any, ...]) -> str:
    text = json.dumps(values, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(text: str, keys: Sequence[type]) -> tuple[Any, ...]:
    try:
        padded = text + "=" * (-len(text) % 4)
        values = json.loads(base64.b64decode(padded, b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        values = None
    if not isinstance(values, list) or [type(value) for value in values] != list(keys):
        raise Refused(400, "INVALID_CURSOR", "cursor is none that this list gave")
    if any(isinstance(value, int) and abs(value) >= 2**63 for value in values):
        raise Refused(400, "INVALID_CURSOR", "cursor is none that this list gave")
    return tuple(values)
