"""Tickets as text on a terminal."""

from collections.abc import Sequence
from typing import Any

import typer

from kombuse_sdk.console import one_line, print_fields, print_styled, print_table, print_text

__all__ = ["print_ticket", "print_tickets"]

Row = dict[str, Any]


def print_tickets(tickets: Sequence[Row]) -> None:
    rows = [
        (
            f"#{ticket['ticket_number']}",
            ticket["status"].replace("_", " "),
            _priority(ticket),
            _name(ticket, "assignee"),
            _labels(ticket),
            ticket["title"],
        )
        for ticket in tickets
    ]
    headings = ("NUMBER", "STATUS", "PRIORITY", "ASSIGNEE", "LABELS", "TITLE")
    print_table(headings, rows, empty="There is no such ticket.")


def print_ticket(ticket: Row, comments: Sequence[Row]) -> None:
    print_styled(f"#{ticket['ticket_number']} ", bold=True, nl=False)
    print_text(ticket["title"])
    print_fields(
        {
            "status": ticket["status"].replace("_", " "),
            "priority": _priority(ticket),
            "labels": _labels(ticket),
            "author": _name(ticket, "author"),
            "assignee": _name(ticket, "assignee"),
            "claimed by": ticket["claimed_by_id"],
            "claimed until": ticket["claim_expires_at"],
            "opened": ticket["opened_at"],
            "closed": ticket["closed_at"],
        }
    )
    if ticket["body"]:
        typer.echo()
        print_text(ticket["body"])
    for comment in comments:
        typer.echo()
        reply = f", answering {comment['parent_id']}" if comment["parent_id"] else ""
        author = _name(comment, "author")
        heading = f"-- {author}, {comment['created_at']}, comment {comment['id']}{reply}"
        print_styled(one_line(heading), bold=True)
        print_text(comment["body"])


def _priority(ticket: Row) -> str:
    return "" if ticket["priority"] is None else str(ticket["priority"])


def _labels(ticket: Row) -> str:
    """Empty when the plugin that adds them is disabled."""
    return ", ".join(label["name"] for label in ticket.get("labels", ()))


def _name(row: Row, role: str) -> str:
    profile = row.get(role) or {}
    return str(profile.get("name") or row[f"{role}_id"] or "")
