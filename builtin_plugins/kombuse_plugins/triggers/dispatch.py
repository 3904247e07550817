"""From events to invocations: each event and trigger make one, whoever looks and however often."""

import json
from datetime import datetime, timedelta
from typing import Any

from kombuse_plugins.triggers import invocations, matching, queries
from kombuse_sdk.contracts import Projects, Tickets
from kombuse_sdk.errors import NotFound
from kombuse_sdk.events import StoredEvent
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.storage import ReadTx, WriteTx

__all__ = ["concerns", "follow", "process"]

# What agents do starts other agents only by way of these.
_CHAINED = frozenset({"agent.started", "agent.completed", "agent.failed", "mention.created"})
# Whoever has an event processed gets to see the invocations before they run.
_PAUSE = timedelta(seconds=2)


def concerns(tx: ReadTx, event: StoredEvent) -> bool:
    """Whether any trigger waits for such an event at all."""
    return queries.is_awaited(tx, event.event_type)


def follow(tx: WriteTx, event: StoredEvent) -> None:
    """The subscriber: queue what the event fires, in the transaction of the position in the log."""
    if _passes(tx, event) and _create(tx, event, run_at=tx.now):
        invocations.wake(tx)


def process(tx: WriteTx, event_id: int) -> dict[str, Any]:
    """Queue what the event fires whoever caused it; the same again answers the same."""
    row = NotFound.unless(queries.event(tx, event_id), "Event")
    event = StoredEvent(**{**dict(row), "payload": json.loads(row["payload"])})
    run_at = timestamp(datetime.fromisoformat(tx.now) + _PAUSE)
    made = _create(tx, event, run_at=run_at)
    if made:
        invocations.wake(tx)
    return {
        "event_id": event_id,
        "invocations_created": len(made),
        "invocations": queries.invocations_by_id(tx, made),
    }


def _passes(tx: ReadTx, event: StoredEvent) -> bool:
    """Not when project or ticket are gone since the event was read."""
    is_chained = event.event_type in _CHAINED
    if not is_chained and (event.actor_type != "user" or event.kombuse_session_id is not None):
        return False
    if event.project_id and tx.services.get(Projects).resolve(tx, event.project_id) is None:
        return False
    if event.ticket_id is None:
        return True
    switches = tx.services.get(Tickets).switches(tx, event.ticket_id)
    return switches is not None and switches.triggers_enabled


def _create(tx: WriteTx, event: StoredEvent, *, run_at: str) -> list[int]:
    """The invocations of the event, those that are there already among them."""
    found = []
    for trigger, agent in matching.fired(tx, event):
        known = queries.invocation_of_event(tx, event.id, trigger["id"])
        found.append(known or invocations.queue(tx, event, trigger["id"], agent, run_at))
    return found
