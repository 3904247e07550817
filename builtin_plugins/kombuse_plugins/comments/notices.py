"""Events about comments, and the mentions in them: stored, and told to whom they concern."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kombuse_plugins.comments import mentions, queries
from kombuse_plugins.comments.models import MentionRow
from kombuse_sdk import EventType
from kombuse_sdk.contracts import Agents, Profiles, TicketRef, Tickets
from kombuse_sdk.events import ActorType, Event
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["EVENT_TYPES", "Source", "announce_mentions", "emit", "renew_mentions"]

EVENT_TYPES = (
    EventType(
        name="comment.added",
        description="A comment was written",
        payload=("comment_id", "ticket_id", "author_type", "author_id"),
    ),
    EventType(
        name="comment.edited",
        description="The text of a comment was changed",
        payload=("comment_id", "author_type", "author_id"),
    ),
    EventType(
        name="comment.deleted",
        description="A comment was deleted; its author is the actor",
        payload=("comment_id", "ticket_id"),
    ),
    EventType(
        name="mention.created",
        description=(
            "A comment mentions a profile or a ticket; ticket_cross_reference tells a ticket that"
            " another one refers to it for the first time. The mention_type says which keys follow."
        ),
        payload=("mention_type", "mention_text"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The comment that events are about."""

    id: int
    ticket: TicketRef
    author_id: str
    author_type: ActorType
    body: str
    kombuse_session_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Profile:
    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ticket:
    ref: TicketRef
    text: str


def emit(
    tx: WriteTx,
    event_type: str,
    source: Source,
    payload: Mapping[str, Any],
    *,
    ticket: TicketRef | None = None,
    comment_id: int | None = None,
) -> None:
    """An event on the comment's ticket, or on another one; its author is the actor."""
    ticket = ticket or source.ticket
    event = Event(
        event_type=event_type,
        actor_type=source.author_type,
        actor_id=source.author_id,
        project_id=ticket.project_id,
        ticket_id=ticket.id,
        comment_id=comment_id,
        kombuse_session_id=source.kombuse_session_id,
        payload=payload,
    )
    tx.emit(event)


def announce_mentions(tx: WriteTx, source: Source) -> None:
    """Store the mentions of a new comment, with an event for each.

    Profiles are not told by an agent that may not start others.
    """
    profiles, tickets = _store(tx, source)
    agents = tx.services.find(Agents)
    is_silent = agents is not None and not agents.may_invoke_agents(tx, source.author_id)
    for profile in () if is_silent else profiles:
        whom = {"mentioned_profile_id": profile.id}
        _emit_mention(tx, source, "profile", whom, profile.text)
    for ticket in tickets:
        which = {
            "mentioned_ticket_id": ticket.ref.id,
            "mentioned_ticket_project_id": ticket.ref.project_id,
            "mentioned_ticket_number": ticket.ref.number,
        }
        _emit_mention(tx, source, "ticket", which, ticket.text)
        _cross_reference(tx, source, ticket.ref)


def renew_mentions(tx: WriteTx, source: Source) -> None:
    """Store the mentions of an edited comment anew; only tickets that it newly names are told."""
    known = queries.mentioned_tickets(tx, source.id)
    tx.execute("DELETE FROM mentions WHERE comment_id = ?", (source.id,))
    _, tickets = _store(tx, source)
    for ticket in tickets:
        if ticket.ref.id not in known:
            _cross_reference(tx, source, ticket.ref)


def _store(tx: WriteTx, source: Source) -> tuple[list[_Profile], list[_Ticket]]:
    parsed = mentions.parse(source.body)
    profiles = list(_profiles(tx, parsed, source.ticket.project_id))
    tickets = list(_tickets(tx, parsed.numbers, source.ticket.project_id))
    for profile in profiles:
        _insert(tx, source, "profile", profile.text, mentioned_profile_id=profile.id)
    for ticket in tickets:
        _insert(tx, source, "ticket", ticket.text, mentioned_ticket_id=ticket.ref.id)
    return profiles, tickets


def _insert(tx: WriteTx, source: Source, kind: str, text: str, **mentioned: Any) -> None:
    values = {"comment_id": source.id, "mention_type": kind, "mention_text": text}
    tx.insert(MentionRow, **values, **mentioned, created_at=tx.now)


def _profiles(tx: ReadTx, parsed: mentions.Mentions, project_id: str) -> Iterator[_Profile]:
    """Bracket mentions, then plain ones, each profile once."""
    profiles = tx.services.get(Profiles)
    seen: set[str] = set()
    for target in parsed.targets:
        found: str | None = target
        name = profiles.name(tx, target)
        if name is None:
            found = profiles.find_by_slug(tx, target, project_id)
            name = found and profiles.name(tx, found)
        if found and name is not None and found not in seen:
            seen.add(found)
            yield _Profile(id=found, text=f"@{name}")
    for name in parsed.names:
        found = profiles.find_by_name(tx, name, project_id)
        found = found or profiles.find_by_slug(tx, name, project_id)
        if found and found not in seen:
            seen.add(found)
            yield _Profile(id=found, text=f"@{name}")


def _tickets(tx: ReadTx, numbers: Iterable[int], project_id: str) -> Iterator[_Ticket]:
    tickets = tx.services.get(Tickets)
    for number in numbers:
        ref = tickets.find(tx, project_id, number)
        if ref is not None:
            yield _Ticket(ref=ref, text=f"#{number}")


def _emit_mention(
    tx: WriteTx, source: Source, kind: str, named: Mapping[str, Any], text: str
) -> None:
    payload = {"mention_type": kind, **named, "mention_text": text, "comment_body": source.body}
    emit(tx, "mention.created", source, payload, comment_id=source.id)


def _cross_reference(tx: WriteTx, source: Source, target: TicketRef) -> None:
    """Tell another ticket that this one refers to it, once for all time."""
    origin = source.ticket
    if target.id == origin.id:
        return
    sql = """
        INSERT INTO cross_references (source_ticket_id, target_ticket_id, created_at)
        VALUES (?, ?, ?) ON CONFLICT DO NOTHING
    """
    if not tx.execute(sql, (origin.id, target.id, tx.now)):
        return
    payload = {
        "mention_type": "ticket_cross_reference",
        "source_ticket_id": origin.id,
        "source_ticket_project_id": origin.project_id,
        "source_ticket_number": origin.number,
        "source_comment_id": source.id,
        "mention_text": f"#{origin.number}",
    }
    emit(tx, "mention.created", source, payload, ticket=target, comment_id=source.id)
