"""JSON or CSV: which of them a request prefers, and a report as CSV."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["prefers_csv", "to_csv"]

# A spreadsheet takes text that begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def prefers_csv(accept: str) -> bool:
    """Whether an Accept header weighs text/csv higher than JSON, by RFC 9110 section 12.5.1."""
    weights = _weights(accept)
    return _weight(weights, "text", "csv") > _weight(weights, "application", "json")


def to_csv(names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """RFC 4180 with a header; null is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in names])
    return text.getvalue()


def _weights(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        kind, *parameters = (piece.strip() for piece in part.split(";"))
        weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            found[kind] = min(max(float(weight), 0.0), 1.0)
        except ValueError:
            found[kind] = 0.0
    return found


def _weight(weights: Mapping[str, float], kind: str, subtype: str) -> float:
    """Of the most specific range that the type is in."""
    ranges = (f"{kind}/{subtype}", f"{kind}/*", "*/*")
    return next((weights[name] for name in ranges if name in weights), 0.0)


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
