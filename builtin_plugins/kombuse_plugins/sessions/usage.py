"""What turns cost: added up on the session, and by day for sums over agents and tickets."""

from kombuse_sdk.agents import Usage
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.storage import WriteTx

__all__ = ["add"]

_SESSION = """
    UPDATE sessions SET input_tokens = input_tokens + :input,
        output_tokens = output_tokens + :output, cost_usd = cost_usd + :cost
    WHERE id = :id
"""
_DAY = """
    INSERT INTO session_usage (session_id, day, agent_id, ticket_id, project_id, turns,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_usd)
    VALUES (:id, :day, :agent, :ticket, :project, 1, :input, :output, :read, :write, :cost)
    ON CONFLICT (session_id, day) DO UPDATE SET
        turns = turns + 1, input_tokens = input_tokens + excluded.input_tokens,
        output_tokens = output_tokens + excluded.output_tokens,
        cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
        cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
        cost_usd = cost_usd + excluded.cost_usd
"""


def add(tx: WriteTx, row_id: str, session: SessionRef, usage: Usage) -> None:
    values = {
        "id": row_id,
        "day": tx.now[:10],
        "agent": session.agent_id,
        "ticket": session.ticket_id,
        "project": session.project_id,
        "input": usage.input_tokens,
        "output": usage.output_tokens,
        "read": usage.cache_read_tokens,
        "write": usage.cache_write_tokens,
        "cost": usage.cost_usd,
    }
    tx.execute(_SESSION, values)
    tx.execute(_DAY, values)
