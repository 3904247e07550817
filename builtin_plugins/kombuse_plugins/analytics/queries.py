"""Every SELECT over sessions, invocations and tool calls, each report one statement.

Days are whole UTC days.
"""

from kombuse_plugins.analytics.fragments import AVERAGE, agent_name, quantile, ranked
from kombuse_plugins.analytics.schemas import (
    DayCount,
    DurationRow,
    FileReads,
    ReadFilter,
    SessionCallFilter,
    SessionCalls,
    StageRow,
    ToolDurations,
    ToolVolume,
    WindowFilter,
)
from kombuse_plugins.analytics.windows import Scope
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx

__all__ = [
    "duration_percentiles",
    "most_frequent_reads",
    "pipeline_stage_duration",
    "sessions_per_day",
    "slowest_tools",
    "tool_call_volume",
    "tool_calls_per_session",
]

_MAX_ROWS = 50
_IN_DAYS = "project_id = :project AND day BETWEEN :first AND :last"


def sessions_per_day(tx: ReadTx, scope: Scope, query: WindowFilter) -> JsonText:
    """Days without a session are left out."""
    item = json_object(DayCount, "s", date="substr(s.created_at, 1, 10)", count="count(*)")
    sql = f"""
        SELECT {item} FROM sessions s INDEXED BY sessions_project_id_created_at
        WHERE s.project_id = :project AND s.created_at BETWEEN :begin AND :end
        GROUP BY substr(s.created_at, 1, 10) ORDER BY substr(s.created_at, 1, 10)
    """
    return tx.json_list(sql, scope.params)


def duration_percentiles(tx: ReadTx, scope: Scope, query: WindowFilter) -> JsonText:
    item = json_object(
        DurationRow,
        "r",
        agent_id="r.key",
        agent_name=agent_name("r.key"),
        p50=quantile(50),
        p90=quantile(90),
        p99=quantile(99),
        avg=AVERAGE,
        count="count(*)",
    )
    return tx.json_list(_completed("sessions", item), scope.params)


def pipeline_stage_duration(tx: ReadTx, scope: Scope, query: WindowFilter) -> JsonText:
    item = json_object(
        StageRow,
        "r",
        agent_id="r.key",
        agent_name=agent_name("r.key"),
        avg_duration=AVERAGE,
        p50=quantile(50),
        p90=quantile(90),
        count="count(*)",
    )
    return tx.json_list(_completed("agent_invocations", item), scope.params)


def _completed(table: str, item: str) -> str:
    source = f"""
        {table} INDEXED BY {table}_completed
        WHERE project_id = :project AND status = 'completed' AND duration_ms IS NOT NULL
            AND started_at BETWEEN :begin AND :end
    """
    return f"""
        SELECT {item} FROM ({ranked("agent_id", "duration_ms", source)}) r
        GROUP BY key ORDER BY count(*) DESC, key
    """


def most_frequent_reads(tx: ReadTx, scope: Scope, query: ReadFilter) -> JsonText:
    item = json_object(FileReads, "f", read_count="sum(f.reads)")
    sql = f"""
        SELECT {item} FROM file_reads f WHERE {_IN_DAYS} AND f.reads > 0 GROUP BY f.file_path
        ORDER BY sum(f.reads) DESC, f.file_path LIMIT :limit
    """
    return tx.json_list(sql, scope.params | {"limit": query.limit})


def tool_calls_per_session(tx: ReadTx, scope: Scope, query: SessionCallFilter) -> JsonText:
    where = Where([f"c.{_IN_DAYS}"], scope.params | {"limit": _MAX_ROWS})
    where.equal("s.agent_id", agent_id=query.agent_id)
    join = "JOIN sessions s ON s.id = c.session_id" if query.agent_id else ""
    item = json_object(
        SessionCalls,
        "s",
        session_id="s.id",
        agent_name=agent_name("s.agent_id"),
        call_count="most.calls",
    )
    sql = f"""
        SELECT {item} FROM (
            SELECT c.session_id, sum(c.calls) AS calls FROM session_tool_counts c {join} {where.sql}
            GROUP BY c.session_id ORDER BY 2 DESC, 1 LIMIT :limit
        ) most CROSS JOIN sessions s ON s.id = most.session_id ORDER BY most.calls DESC, s.id
    """
    return tx.json_list(sql, where.params)


def tool_call_volume(tx: ReadTx, scope: Scope, query: WindowFilter) -> JsonText:
    item = json_object(
        ToolVolume, "c", call_count="sum(c.calls)", session_count="count(DISTINCT c.session_id)"
    )
    sql = f"""
        SELECT {item} FROM tool_counts c WHERE {_IN_DAYS} GROUP BY c.tool_name
        ORDER BY sum(c.calls) DESC, c.tool_name LIMIT :limit
    """
    return tx.json_list(sql, scope.params | {"limit": _MAX_ROWS})


# Counts by bucket say in which one a quantile is, and at which position of it; only the calls of
# these few buckets are looked at. A bucket below 100 holds one value.
_SLOWEST = f"""
    WITH buckets AS (
        SELECT tool_name, bucket, sum(calls) AS n, sum(total_ms) AS total FROM tool_durations
        WHERE {_IN_DAYS} AND calls > 0 GROUP BY tool_name, bucket
    ), summed AS (
        SELECT tool_name, bucket, n,
            sum(n) OVER (PARTITION BY tool_name ORDER BY bucket) - n AS below,
            sum(n) OVER (PARTITION BY tool_name) AS calls,
            sum(total) OVER (PARTITION BY tool_name) AS total
        FROM buckets
    ), wanted AS (
        SELECT summed.tool_name, summed.bucket, summed.calls, summed.total, q.value AS percent,
            summed.calls * q.value / 100 + 1 - summed.below AS position
        FROM summed CROSS JOIN json_each('[50, 90, 99]') q
        WHERE summed.calls * q.value / 100 + 1 - summed.below BETWEEN 1 AND summed.n
    ), found AS MATERIALIZED (
        SELECT w.tool_name, w.calls, w.total, w.percent, iif(w.bucket < 100, w.bucket, (
            SELECT duration_ms FROM (
                SELECT c.duration_ms, row_number() OVER (ORDER BY c.duration_ms) AS position
                FROM tool_calls c INDEXED BY tool_calls_duration
                WHERE c.project_id = :project AND c.tool_name = w.tool_name
                    AND c.bucket = w.bucket AND c.duration_ms > 0
                    AND c.day BETWEEN :first AND :last
            ) WHERE position = w.position LIMIT 1
        )) AS value
        FROM wanted w
    )
"""


def slowest_tools(tx: ReadTx, scope: Scope, query: WindowFilter) -> JsonText:
    """Of the calls that took time; each until its first result."""

    def quantile(percent: int) -> str:
        return f"max(found.value) FILTER (WHERE found.percent = {percent})"

    item = json_object(
        ToolDurations,
        "found",
        count="found.calls",
        avg="CAST(round(1.0 * found.total / found.calls) AS INTEGER)",
        p50=quantile(50),
        p90=quantile(90),
        p99=quantile(99),
    )
    sql = f"""
        {_SLOWEST} SELECT {item} FROM found GROUP BY found.tool_name
        ORDER BY {quantile(90)} DESC, found.tool_name LIMIT :limit
    """
    return tx.json_list(sql, scope.params | {"limit": _MAX_ROWS})
