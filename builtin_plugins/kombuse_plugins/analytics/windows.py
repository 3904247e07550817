"""The days that a report is about."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from kombuse_plugins.analytics.schemas import MAX_DAYS, Window
from kombuse_sdk.errors import Invalid, issue

__all__ = ["Scope", "window"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A project, or all of them, and the first and the last day, both included."""

    first: str
    last: str
    project_id: str | None = None

    @property
    def params(self) -> dict[str, Any]:
        """For SQL: days, and the first and last moment of them."""
        return {
            "project": self.project_id,
            "first": self.first,
            "last": self.last,
            "begin": f"{self.first}T00:00:00.000Z",
            "end": f"{self.last}T23:59:59.999Z",
        }


def window(query: Window, today: str) -> tuple[str, str]:
    """Raises Invalid for days in the wrong order and for more than a year of them."""
    last = query.to or today
    if query.from_ is None:
        end = date.fromisoformat(last)
        return (end - min(timedelta(query.days), end - date.min)).isoformat(), last
    if query.to is not None and query.from_ > query.to:
        raise Invalid(issue("custom", ["from"], "Expected a day before `to`"))
    span = date.fromisoformat(last) - date.fromisoformat(query.from_)
    if span.days > MAX_DAYS:
        message = f"Too big: expected at most {MAX_DAYS} days up to `to`"
        raise Invalid(issue("too_big", ["from"], message, maximum=MAX_DAYS))
    return query.from_, last
