"""Sessions that took place, written straight into a database with all their events."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

_TOOLS = (
    "Read",
    "Bash",
    "Edit",
    "Grep",
    "Glob",
    "Write",
    "TodoWrite",
    "Task",
    "WebFetch",
    "mcp__kombuse__get_ticket",
    "mcp__kombuse__add_comment",
    "NotebookEdit",
    "WebSearch",
    "MultiEdit",
    "LS",
)
_WEIGHTS = tuple(1 / rank for rank in range(1, len(_TOOLS) + 1))
_KINDS = ("tool_use", "tool_result", "tool_use", "tool_result", "message")
_FILES = 4000
_BATCH = 200
_SESSION = """
    INSERT INTO sessions (id, kombuse_session_id, backend_type, ticket_id, project_id, agent_id,
        status, started_at, completed_at, created_at, updated_at, last_event_seq, last_event_ms,
        active_ms)
    VALUES (:id, :public, 'mock', :ticket, :project, :agent, 'completed', :start, :end, :start,
        :end, :events, :end_ms, :active)
"""
_INVOCATION = """
    INSERT INTO agent_invocations (agent_id, session_id, project_id, ticket_id, kombuse_session_id,
        status, run_at, context, started_at, completed_at, created_at)
    VALUES (:agent, :id, :project, :ticket, :public, 'completed', :start, '{}', :start, :end,
        :start)
"""
_USAGE = """
    INSERT INTO session_usage (session_id, day, agent_id, ticket_id, project_id, turns,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd)
    VALUES (:id, substr(:start, 1, 10), :agent, :ticket, :project, 1, 900, 400, 9000, 100, 0.25)
"""
_EVENT = """
    INSERT INTO session_events
        (session_id, kombuse_session_id, seq, event_type, created_at, payload)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_CALL = """
    INSERT INTO tool_calls
        (session_id, project_id, day, tool_name, tool_use_id, file_path, started_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_RESULT = "UPDATE tool_calls SET duration_ms = ? WHERE session_id = ? AND tool_use_id = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of what, in which project, over how many days up to now."""

    project_id: str
    agent_ids: tuple[str, ...]
    ticket_ids: tuple[int, ...]
    sessions: int
    events: int
    days: int


def write(database: Path, plan: Plan) -> int:
    """One transaction for some sessions each; how many tool calls there were."""
    random = Random(1)
    calls = 0
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for first in range(0, plan.sessions, _BATCH):
            count = min(_BATCH, plan.sessions - first)
            sessions = [_session(random, plan) for _ in range(count)]
            connection.execute("BEGIN IMMEDIATE")
            for statement in (_SESSION, _INVOCATION, _USAGE):
                connection.executemany(statement, sessions)
            for session in sessions:
                connection.executemany(_EVENT, _events(session))
                used = list(_calls(random, session))
                connection.executemany(_CALL, used)
                ended = [(_duration(random, 6.0), session["id"], call[4]) for call in used]
                connection.executemany(_RESULT, ended)
                calls += len(used)
            connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return calls


def _session(random: Random, plan: Plan) -> dict[str, Any]:
    start = datetime.now(UTC) - timedelta(days=random.random() * plan.days)
    end = start + timedelta(milliseconds=_duration(random, 11.5))
    session_id = str(UUID(int=random.getrandbits(128), version=4))
    return {
        "id": session_id,
        "public": f"trigger-{session_id}",
        "ticket": random.choice(plan.ticket_ids),
        "project": plan.project_id,
        "agent": random.choice(plan.agent_ids),
        "start": _text(start),
        "end": _text(end),
        "end_ms": int(end.timestamp() * 1000),
        "active": (end - start) // timedelta(milliseconds=1),
        "events": plan.events,
    }


def _events(session: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    for seq in range(1, session["events"] + 1):
        kind = _KINDS[(seq - 1) % len(_KINDS)]
        payload = f'{{"type":"{kind}","backend":"mock","timestamp":{session["end_ms"]}}}'
        yield session["id"], session["public"], seq, kind, session["start"], payload


def _calls(random: Random, session: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    count = sum(_KINDS[seq % len(_KINDS)] == "tool_use" for seq in range(session["events"]))
    for number, name in enumerate(random.choices(_TOOLS, _WEIGHTS, k=count)):
        file = f"src/package/module_{int(random.random() ** 2 * _FILES)}.py"
        path = file if name == "Read" else None
        day = session["start"][:10]
        yield session["id"], session["project"], day, name, f"call_{number}", path, 0


def _duration(random: Random, mean: float) -> int:
    return max(1, int(random.lognormvariate(mean, 1.5)))


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
