"""What keeps an invocation from running: limits against loops, storms and double work.

Loops: of the invocations on a ticket within an hour, the one that reaches the limit (the agent's
`max_chain_depth`, the setting, or 15) fails, counting those that no person caused. The first to
fail in an hour is told, by `agent.failed` and a comment; the others end silently, for to tell of
them could start the next round. On a ticket without loop protection there is an end too, far off.

Strangers: what an imported profile (one with an `external_source`) does starts no agent but those
whose configuration has `trusts_imported_authors: true`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from kombuse_plugins.triggers import queries
from kombuse_sdk.contracts import Agents, Profiles, Settings, Tickets
from kombuse_sdk.contracts.agents import Agent
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.storage import ReadTx, Row

__all__ = ["DEPTH_SETTING", "Refusal", "is_tripped", "refusal", "saturated"]

DEPTH_SETTING = "agent.default_max_chain_depth"
TRUSTING = "trusts_imported_authors"
_DEFAULT_DEPTH = 15
_DEEPEST = 100
_UNPROTECTED_DEPTH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an invocation fails; `is_told` by an event, a loop by a comment too."""

    error: str
    is_told: bool = True
    is_loop: bool = False


def refusal(tx: ReadTx, row: Row, agent: Agent | None) -> Refusal | None:
    """None when the pending invocation may run now."""
    if agent is None:
        return Refusal(error=f"Agent {row['agent_id']} not found", is_told=False)
    if not agent.is_enabled:
        return Refusal(error=f"Agent {agent.id} is disabled")
    return _stranger(tx, row, agent) or _loop(tx, row, agent) or _double(tx, row) or _attempts(row)


def saturated(tx: ReadTx) -> list[str]:
    """Agents that have as many runs as their `max_concurrent` allows."""
    agents = tx.services.get(Agents)
    found = []
    for row in queries.running_by_agent(tx):
        agent = agents.get(tx, row["agent_id"])
        limit = agent.config.get("max_concurrent") if agent else None
        if limit is not None and row["n"] >= limit:
            found.append(row["agent_id"])
    return found


def is_tripped(tx: ReadTx, ticket_id: int) -> bool:
    """Whether one was stopped within the hour, or the next one would be by the default limit."""
    if not queries.has_run(tx, ticket_id):
        return False
    since = _an_hour_ago(tx)
    if queries.stops(tx, ticket_id, since):
        return True
    return queries.caused_by_agents(tx, ticket_id, since) >= _default_depth(tx)


def _stranger(tx: ReadTx, row: Row, agent: Agent) -> Refusal | None:
    actor_id = queries.actor_id(tx, row["event_id"])
    if actor_id is None or agent.config.get(TRUSTING) is True:
        return None
    known = tx.services.get(Profiles).authors(tx, [actor_id])[actor_id]
    if known["author_kind"] != "external":
        return None
    error = (
        f"Not started: {actor_id}, who caused the event, was imported and is not trusted."
        f" An agent with {TRUSTING}: true in its config starts all the same."
    )
    return Refusal(error=error, is_told=False)


def _loop(tx: ReadTx, row: Row, agent: Agent) -> Refusal | None:
    ticket_id = row["ticket_id"]
    tickets = tx.services.get(Tickets)
    if ticket_id is None or row["is_by_person"]:
        return None
    ticket, switches = tickets.by_id(tx, ticket_id), tickets.switches(tx, ticket_id)
    if ticket is None or switches is None:
        return None
    depth = _UNPROTECTED_DEPTH
    if switches.loop_protection_enabled:
        depth = agent.config.get("max_chain_depth") or _default_depth(tx)
    since = _an_hour_ago(tx)
    if queries.caused_by_agents(tx, ticket_id, since, up_to=row["id"]) < depth:
        return None
    error = (
        f"Chain depth limit reached ({depth} invocations on ticket #{ticket.number}"
        " in the last hour). Halting to prevent infinite loops."
    )
    is_known = "told" in queries.stops(tx, ticket_id, since)
    return Refusal(error=error, is_told=not is_known, is_loop=True)


def _double(tx: ReadTx, row: Row) -> Refusal | None:
    """One run of an agent on a ticket at a time; what happens meanwhile it will find there.

    Only to mentions it owes an answer: those were not claimed before it was free.
    """
    if row["ticket_id"] is None or row["event_type"] == "mention.created":
        return None
    active = queries.active_id(tx, row)
    if active is None:
        return None
    ticket = tx.services.get(Tickets).by_id(tx, row["ticket_id"])
    where = f"ticket #{ticket.number}" if ticket else "its ticket"
    error = f"Skipped: agent {row['agent_id']} already has active invocation #{active} on {where}"
    return Refusal(error=error, is_told=False)


def _attempts(row: Row) -> Refusal | None:
    if row["attempts"] < row["max_attempts"]:
        return None
    return Refusal(error=f"Invocation exceeded max attempts ({row['max_attempts']})")


def _default_depth(tx: ReadTx) -> int:
    settings = tx.services.find(Settings)
    value = settings.value(tx, DEPTH_SETTING) if settings else None
    if value is not None and value.isascii() and value.isdigit() and len(value) < 4:
        depth = int(value)
        if 1 <= depth <= _DEEPEST:
            return depth
    return _DEFAULT_DEPTH


def _an_hour_ago(tx: ReadTx) -> str:
    return timestamp(datetime.fromisoformat(tx.now) - timedelta(hours=1))
