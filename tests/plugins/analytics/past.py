"""Things of days long ago, written straight into the tables; quantiles worked out in Python."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from kombuse_sdk.schemas import timestamp
from kombuse_sdk.types import Kernel

__all__ = ["NOON", "Past", "mean", "quantile", "quantiles"]

NOON = datetime(2025, 3, 10, 12, tzinfo=UTC)


def quantile(values: Sequence[int], percent: int) -> int:
    """The upper nearest rank: position floor(n * p) + 1, counted from 1."""
    return sorted(values)[int(Fraction(len(values) * percent, 100))]


def mean(values: Sequence[int]) -> int:
    """Rounded half up."""
    return int(Fraction(sum(values), len(values)) + Fraction(1, 2))


def quantiles(values: Sequence[int]) -> dict[str, int]:
    return {f"p{percent}": quantile(values, percent) for percent in (50, 90, 99)}


@dataclass
class Past:
    kernel: Kernel
    project_id: str

    def session(
        self,
        at: datetime = NOON,
        milliseconds: int | None = 1000,
        *,
        agent_id: str | None = None,
        ticket_id: int | None = None,
        status: str = "completed",
        project_id: str | None = None,
    ) -> str:
        """A session that began then and took so long; its row id."""
        row_id = str(uuid.uuid4())
        values = {
            "id": row_id,
            "public": f"trigger-{row_id}",
            "ticket": ticket_id,
            "project": project_id or self.project_id,
            "agent": agent_id,
            "status": status,
            "start": timestamp(at),
            "end": None if milliseconds is None else _after(at, milliseconds),
        }
        sql = """
            INSERT INTO sessions (id, kombuse_session_id, ticket_id, project_id, agent_id, status,
                started_at, completed_at, created_at, updated_at)
            VALUES (:id, :public, :ticket, :project, :agent, :status, :start, :end, :start, :start)
        """
        self._execute(sql, values)
        return row_id

    def invocation(self, agent_id: str, at: datetime, milliseconds: int, status: str) -> None:
        sql = """
            INSERT INTO agent_invocations (agent_id, project_id, status, run_at, context,
                started_at, completed_at, created_at)
            VALUES (:agent, :project, :status, :start, '{}', :start, :end, :start)
        """
        values = {
            "agent": agent_id,
            "project": self.project_id,
            "status": status,
            "start": timestamp(at),
            "end": _after(at, milliseconds),
        }
        self._execute(sql, values)

    def call(
        self,
        session_id: str,
        tool: str,
        milliseconds: int | None = None,
        *,
        at: datetime = NOON,
        path: str | None = None,
    ) -> None:
        sql = """
            INSERT INTO tool_calls
                (session_id, project_id, day, tool_name, tool_use_id, file_path, started_ms)
            VALUES (?, ?, ?, ?, ?, ?, 0)
        """
        use_id = str(uuid.uuid4())
        day = at.date().isoformat()
        self._execute(sql, (session_id, self.project_id, day, tool, use_id, path))
        if milliseconds is not None:
            sql = "UPDATE tool_calls SET duration_ms = ? WHERE session_id = ? AND tool_use_id = ?"
            self._execute(sql, (milliseconds, session_id, use_id))

    def usage(self, day: str, agent_id: str | None, ticket_id: int | None, cost: float) -> None:
        sql = """
            INSERT INTO session_usage (session_id, day, agent_id, ticket_id, project_id, turns,
                input_tokens, output_tokens, cost_usd)
            VALUES (?, ?, ?, ?, ?, 2, 100, 10, ?)
        """
        values = (str(uuid.uuid4()), day, agent_id, ticket_id, self.project_id, cost)
        self._execute(sql, values)

    def date_ticket(self, ticket: Any, created: datetime, closed: datetime | None = None) -> None:
        """A ticket as if it had been created, and closed, at these times."""
        sql = "UPDATE tickets SET created_at = ?, closed_at = ?, status = ? WHERE id = ?"
        status = "closed" if closed else "open"
        times = (timestamp(created), closed and timestamp(closed))
        self._execute(sql, (*times, status, ticket["id"]))

    def _execute(self, sql: str, params: Any) -> None:
        with self.kernel.db.write() as tx:
            tx.execute(sql, params)


def _after(at: datetime, milliseconds: int) -> str:
    return timestamp(at + timedelta(milliseconds=milliseconds))
