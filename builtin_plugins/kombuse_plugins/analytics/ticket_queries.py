"""Every SELECT over tickets and what agents cost on them, each report one statement.

Days are whole UTC days.
"""

from kombuse_plugins.analytics.fragments import AVERAGE, agent_name, quantile, ranked
from kombuse_plugins.analytics.schemas import (
    BurndownFilter,
    BurndownRow,
    CostFilter,
    CostRow,
    RunTime,
    RunTimeFilter,
    ThroughputFilter,
    ThroughputRow,
)
from kombuse_plugins.analytics.windows import Scope
from kombuse_sdk.contracts import Labels, Milestones
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx

__all__ = ["agent_runtime_per_ticket", "costs", "throughput", "ticket_burndown"]

_DAYS = """
    days (day) AS (
        SELECT :first WHERE :first <= :last
        UNION ALL SELECT date(day, '+1 day') FROM days WHERE day < :last
    )
"""
_PERIODS = {
    "day": "substr({}, 1, 10)",
    "week": "date({}, 'weekday 0', '-6 days')",
    "month": "substr({}, 1, 7) || '-01'",
    "total": ":first",
}
_SUMS = (
    "turns",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
)


def ticket_burndown(tx: ReadTx, scope: Scope, query: BurndownFilter) -> JsonText:
    """By the milestone and the labels that tickets have now."""
    where = Where(["t.project_id = :project"], scope.params)
    source, due = "tickets t", "NULL"
    if query.milestone_id is not None:
        source = "tickets t INDEXED BY tickets_milestone"
        where.add("t.milestone_id = :milestone_id", milestone_id=query.milestone_id)
        if tx.services.find(Milestones):
            due = "(SELECT substr(m.due_date, 1, 10) FROM milestones m WHERE m.id = :milestone_id)"
    if query.label_id is not None:
        labelled = "SELECT ticket_id FROM ticket_labels WHERE label_id = :label_id"
        has_labels = tx.services.find(Labels) is not None
        where.add(f"t.id IN ({labelled})" if has_labels else "false", label_id=query.label_id)
    part = "(julianday(day) - julianday(:first)) / (julianday(due) - julianday(:first))"
    item = json_object(
        BurndownRow,
        "l",
        date="l.day",
        open="l.total - l.closed",
        ideal=f"""iif(due > :first AND at_start > 0,
            max(0, CAST(round(at_start * (1 - min({part}, 1))) AS INTEGER)), NULL)""",
    )
    sql = f"""
        WITH RECURSIVE {_DAYS}, created AS (
            SELECT max(substr(t.created_at, 1, 10), :first) AS day, count(*) AS n
            FROM {source} {where.sql} AND t.created_at <= :end GROUP BY 1
        ), closed AS (
            SELECT max(substr(t.closed_at, 1, 10), :first) AS day, count(*) AS n
            FROM {source} {where.sql} AND t.closed_at <= :end GROUP BY 1
        ), sums AS (
            SELECT day, sum(ifnull(created.n, 0)) OVER (ORDER BY day) AS total,
                sum(ifnull(closed.n, 0)) OVER (ORDER BY day) AS closed
            FROM days LEFT JOIN created USING (day) LEFT JOIN closed USING (day)
        ), lines AS (
            SELECT day, total, closed, {due} AS due,
                first_value(total) OVER (ORDER BY day) AS at_start
            FROM sums
        )
        SELECT {item} FROM lines l ORDER BY l.day
    """
    return tx.json_list(sql, where.params)


def agent_runtime_per_ticket(tx: ReadTx, scope: Scope, query: RunTimeFilter) -> JsonText:
    item = json_object(RunTime, "r", agent_name=agent_name("r.agent_id"))
    sql = f"""
        SELECT {item} FROM (
            SELECT last.ticket_number, last.title AS ticket_title, s.agent_id, s.id AS session_id,
                s.kombuse_session_id, s.started_at,
                max(0, iif(s.last_event_ms IS NULL, s.duration_ms, s.active_ms)) AS duration_ms,
                row_number() OVER (PARTITION BY last.id, s.agent_id ORDER BY s.started_at, s.id)
                    AS run_index
            FROM (
                SELECT id, ticket_number, title FROM tickets INDEXED BY tickets_project_closed_at
                WHERE project_id = :project AND status = 'closed'
                ORDER BY closed_at DESC, id DESC LIMIT :limit
            ) last CROSS JOIN sessions s INDEXED BY sessions_ticket_id_created_at
                ON s.ticket_id = last.id
            WHERE s.status = 'completed' AND s.completed_at IS NOT NULL
        ) r ORDER BY r.ticket_number, r.started_at, r.session_id
    """
    return tx.json_list(sql, {"project": scope.project_id, "limit": query.limit})


def costs(tx: ReadTx, scope: Scope, query: CostFilter) -> JsonText:
    """The newest day first, then the greatest cost."""
    where = Where(["u.day BETWEEN :first AND :last"], scope.params | {"limit": query.limit})
    if scope.project_id is not None:
        where.add("u.project_id = :project")
    keys = dict.fromkeys(("day", "agent_id", "ticket_id"), "NULL")
    names = query.group_by.split(",")
    keys |= {key: f"u.{key}" for key in keys if key.removesuffix("_id") in names}
    ticket = "(SELECT t.{} FROM tickets t WHERE t.id = summed.ticket_id)"
    by_agent = "NULL" if keys["agent_id"] == "NULL" else "{}"
    item = json_object(
        CostRow,
        "summed",
        date="summed.day",
        agent_name=by_agent.format(agent_name("summed.agent_id")),
        ticket_number=ticket.format("ticket_number"),
        ticket_title=ticket.format("title"),
    )
    columns = [f"{sql} AS {key}" for key, sql in keys.items()]
    columns += [f"sum(u.{name}) AS {name}" for name in _SUMS]
    columns.append("round(sum(u.cost_usd), 6) AS cost_usd")
    grouped = ", ".join(sql for sql in keys.values() if sql != "NULL")
    order = "day DESC, cost_usd DESC, agent_id, ticket_id"
    sql = f"""
        SELECT {item} FROM (
            SELECT {", ".join(columns)}, count(DISTINCT u.session_id) AS sessions
            FROM session_usage u {where.sql} GROUP BY {grouped} ORDER BY {order} LIMIT :limit
        ) summed ORDER BY {order}
    """
    return tx.json_list(sql, where.params)


def throughput(tx: ReadTx, scope: Scope, query: ThroughputFilter) -> JsonText:
    """Every period of the window, those without a ticket too; the first one may be cut short."""
    period = _PERIODS[query.group_by].format
    project = "" if scope.project_id is None else "project_id = :project AND"
    created = f"tickets WHERE {project} created_at BETWEEN :begin AND :end"
    closed = f"""
        tickets INDEXED BY tickets_cycle WHERE {project} closed_at BETWEEN :begin AND :end
    """
    item = json_object(
        ThroughputRow,
        "periods",
        created="ifnull(created.n, 0)",
        closed="ifnull(closed.n, 0)",
        avg="closed.average",
        p50="closed.p50",
        p90="closed.p90",
        p99="closed.p99",
    )
    sql = f"""
        WITH RECURSIVE {_DAYS}, periods AS (SELECT DISTINCT {period("day")} AS date FROM days),
        created AS (SELECT {period("created_at")} AS date, count(*) AS n FROM {created} GROUP BY 1),
        closed AS (
            SELECT key AS date, n, {AVERAGE} AS average, {quantile(50)} AS p50,
                {quantile(90)} AS p90, {quantile(99)} AS p99
            FROM ({ranked(period("closed_at"), "cycle_ms", closed)}) GROUP BY key
        )
        SELECT {item} FROM periods LEFT JOIN created USING (date) LEFT JOIN closed USING (date)
        ORDER BY periods.date
    """
    return tx.json_list(sql, scope.params)
