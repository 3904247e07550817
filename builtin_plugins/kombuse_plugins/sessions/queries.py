"""Every SELECT over sessions and their events.

Every order of the list has an index that holds it, alone and behind each filter; the index is named
so that the plan does not hang on whether the database was ever analysed.
"""

from typing import Any

from kombuse_plugins.sessions.schemas import (
    AbortedSession,
    EventFilter,
    Session,
    SessionEvent,
    SessionFilter,
    UsageFilter,
    UsageRow,
)
from kombuse_sdk.contracts import Projects, Tickets
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx, Row

__all__ = [
    "active",
    "diagnostics",
    "events",
    "finished_before",
    "messages",
    "one",
    "page",
    "ref_row",
    "resumable",
    "row",
    "running",
    "ticket_status",
    "ticket_statuses",
    "usage",
]

_INDEXED = ("ticket_id", "agent_id", "terminal_reason", "project_id", "status")
_EFFECTIVE = "coalesce(s.metadata ->> '$.effective_backend', s.backend_type, 'claude-code')"
_AGENT_NAME = "(SELECT p.name FROM profiles p WHERE p.id = s.agent_id)"
_ABORTED = json_object(AbortedSession, "s", terminal_source="s.metadata ->> '$.terminal_source'")
_ROW = "SELECT * FROM sessions WHERE kombuse_session_id = ?"
_COUNTS = "SELECT json_group_object(status, n) FROM (SELECT status, count(*) n FROM sessions"


def _session(tx: ReadTx) -> str:
    def blank_is_null(key: str) -> str:
        return f"nullif(trim(s.metadata ->> '$.{key}'), '')"

    return json_object(
        Session,
        "s",
        metadata="json(s.metadata)",
        effective_backend=_EFFECTIVE,
        model_preference=blank_is_null("model_preference"),
        applied_model=blank_is_null("applied_model"),
        agent_name=_AGENT_NAME,
        ticket_number=tx.services.get(Tickets).number_sql("s.ticket_id"),
    )


def one(tx: ReadTx, session_id: str) -> JsonText | None:
    sql = f"SELECT {_session(tx)} FROM sessions s WHERE s.kombuse_session_id = ?"
    return tx.json(sql, (session_id,))


def row(tx: ReadTx, session_id: str) -> Row | None:
    return tx.one(_ROW, (session_id,))


def page(tx: ReadTx, query: SessionFilter) -> JsonText:
    given = query.given()
    if query.project_id is not None:
        given["project_id"] = tx.services.get(Projects).resolve(tx, query.project_id)
        if given["project_id"] is None:
            return JsonText(b"[]")
    where = Where(params={"limit": query.limit, "offset": query.offset})
    for name in _INDEXED:
        where.equal(f"s.{name}", **{name: given[name]})
    if query.has_backend_session_id is not None:
        negation = "NOT " if query.has_backend_session_id else ""
        where.add(f"s.backend_session_id IS {negation}NULL")
    narrow = next((f"{name}_" for name in _INDEXED if given[name] is not None), "")
    sql = f"""
        SELECT {_session(tx)} FROM sessions s INDEXED BY sessions_{narrow}{query.sort_by}
        {where.sql} ORDER BY s.{query.sort_by} DESC, s.id DESC LIMIT :limit OFFSET :offset
    """
    return tx.json_list(sql, where.params)


def events(tx: ReadTx, session: Row, query: EventFilter) -> JsonText:
    """The first events after `since_seq`, or the last ones."""
    where = Where(["e.session_id = :id"], {"id": session["id"]})
    where.equal("e.event_type", event_type=query.event_type)
    if query.since_seq is not None:
        where.add("e.seq > :since", since=query.since_seq)
    index = "seq" if query.event_type is None else "type"
    source = f"session_events e INDEXED BY session_events_{index} {where.sql}"
    params = where.params | {"limit": query.limit, "public": session["kombuse_session_id"]}
    item = json_object(SessionEvent, "e", payload="json(e.payload)")
    order = "DESC" if query.since_seq is None else "ASC"
    sql = f"""
        SELECT json_object('session_id', :public, 'events', json((
            SELECT '[' || ifnull(group_concat(item), '') || ']' FROM (
                SELECT item FROM (
                    SELECT e.seq, {item} AS item FROM {source} ORDER BY e.seq {order} LIMIT :limit
                ) ORDER BY seq
            )
        )), 'total', (SELECT count(*) FROM {source}))
    """
    found = tx.json(sql, params)
    assert found is not None
    return found


def messages(tx: ReadTx, row_id: str, before_seq: int, characters: int) -> list[tuple[str, str]]:
    """(role, content) of the newest messages, in order, that fit; at least one if there is any."""
    sql = """
        SELECT payload ->> '$.role' AS role, payload ->> '$.content' AS content
        FROM session_events INDEXED BY session_events_type
        WHERE session_id = ? AND event_type = 'message' AND seq < ? ORDER BY seq DESC LIMIT 1000
    """
    kept: list[tuple[str, str]] = []
    for role, content in tx.all(sql, (row_id, before_seq)):
        if not role or not content:
            continue
        characters -= len(content)
        if kept and characters < 0:
            break
        kept.append((role, content))
    return kept[::-1]


def ref_row(tx: ReadTx, session_id: str) -> Row | None:
    number = tx.services.get(Tickets).number_sql("s.ticket_id")
    sql = f"""
        SELECT s.kombuse_session_id, s.agent_id, {_AGENT_NAME} AS agent_name, s.project_id,
            s.ticket_id, {number} AS ticket_number
        FROM sessions s WHERE s.kombuse_session_id = ?
    """
    return tx.one(sql, (session_id,))


def resumable(tx: ReadTx, agent_id: str, ticket_id: int) -> str | None:
    """The newest session of an agent on a ticket that a mention can go on with."""
    sql = """
        SELECT kombuse_session_id FROM sessions INDEXED BY sessions_ticket_id_updated_at
        WHERE ticket_id = ? AND agent_id = ? AND status NOT IN ('running', 'pending')
            AND backend_session_id IS NOT NULL
        ORDER BY updated_at DESC, id DESC LIMIT 1
    """
    found: str | None = tx.value(sql, (ticket_id, agent_id))
    return found


def finished_before(tx: ReadTx, time: str, limit: int) -> list[str]:
    """The public ids of sessions that ended, and were silent since then."""
    sql = """
        SELECT kombuse_session_id FROM sessions
        WHERE status IN ('completed', 'failed', 'aborted', 'stopped') AND updated_at < ?
        ORDER BY status, updated_at LIMIT ?
    """
    return tx.values(sql, (time, limit))


def running(tx: ReadTx) -> list[Row]:
    sql = """
        SELECT * FROM sessions INDEXED BY sessions_status_created_at WHERE status = 'running'
        ORDER BY created_at, id
    """
    return tx.all(sql)


def active(tx: ReadTx, project_id: str | None) -> list[Row]:
    number = tx.services.get(Tickets).number_sql("s.ticket_id")
    where = Where(["s.status = 'running'"])
    where.equal("s.project_id", project_id=project_id)
    sql = f"""
        SELECT s.kombuse_session_id AS kombuseSessionId, {_AGENT_NAME} AS agentName,
            {number} AS ticketNumber, s.project_id AS projectId,
            (SELECT t.title FROM tickets t WHERE t.id = s.ticket_id) AS ticketTitle,
            {_EFFECTIVE} AS effectiveBackend,
            nullif(trim(s.metadata ->> '$.applied_model'), '') AS appliedModel,
            s.started_at AS startedAt
        FROM sessions s INDEXED BY sessions_status_updated_at {where.sql}
        ORDER BY s.updated_at DESC, s.id DESC LIMIT 100
    """
    return tx.all(sql, where.params)


# A ticket is in error when its newest failure is newer than its newest success.
_TICKET_STATUS = """
    SELECT t.ticket_number AS ticketNumber, t.project_id AS projectId, CASE
            WHEN max(s.status IN ('running', 'pending')) THEN 'running'
            WHEN max(s.failed_at) FILTER (WHERE s.status = 'failed') > ifnull(
                max(s.completed_at) FILTER (WHERE s.completed_at IS NOT NULL), '') THEN 'error'
            ELSE 'idle'
        END AS status, count(*) FILTER (WHERE s.status IN ('running', 'pending')) AS sessionCount
    FROM tickets t JOIN sessions s ON s.ticket_id = t.id
"""


def ticket_status(tx: ReadTx, ticket_id: int) -> Row | None:
    sql = f"{_TICKET_STATUS} WHERE t.id = ? AND s.ticket_id = ? GROUP BY t.id"
    found = tx.one(sql, (ticket_id, ticket_id))
    if found is None:
        sql = "SELECT ticket_number AS ticketNumber, project_id AS projectId, 'idle' AS status,"
        found = tx.one(f"{sql} 0 AS sessionCount FROM tickets WHERE id = ?", (ticket_id,))
    return found


def ticket_statuses(tx: ReadTx, project_id: str | None) -> list[Row]:
    where = Where(
        [
            """t.id IN (
            SELECT ticket_id FROM sessions WHERE status = 'running' AND ticket_id IS NOT NULL
            UNION SELECT ticket_id FROM sessions WHERE status = 'pending' AND ticket_id IS NOT NULL
            UNION SELECT ticket_id FROM (
                SELECT ticket_id FROM sessions INDEXED BY sessions_status_updated_at
                WHERE status = 'failed' AND ticket_id IS NOT NULL
                ORDER BY updated_at DESC LIMIT 100
            )
        )"""
        ]
    )
    where.equal("t.project_id", project_id=project_id)
    return tx.all(f"{_TICKET_STATUS} {where.sql} GROUP BY t.id ORDER BY t.id", where.params)


def diagnostics(tx: ReadTx, recent: int) -> JsonText:
    sql = f"""
        SELECT json_object(
            'generated_at', :now,
            'counts_by_status', json(({_COUNTS} GROUP BY status))),
            'aborted_by_reason', json((
                SELECT json_group_array(json_object('reason', reason, 'count', n)) FROM (
                    SELECT ifnull(terminal_reason, 'unspecified') AS reason, count(*) AS n
                    FROM sessions WHERE status = 'aborted' GROUP BY 1 ORDER BY n DESC, reason
                )
            )),
            'terminal_timestamp_gaps', json((SELECT json_object(
                'completed_missing_timestamp', count(*) FILTER (
                    WHERE status = 'completed' AND completed_at IS NULL),
                'failed_missing_timestamp', count(*) FILTER (
                    WHERE status = 'failed' AND failed_at IS NULL),
                'aborted_missing_timestamp', count(*) FILTER (
                    WHERE status = 'aborted' AND aborted_at IS NULL)
            ) FROM sessions)),
            'recent_aborted_without_backend_session_id', json((
                SELECT '[' || ifnull(group_concat(item), '') || ']' FROM (
                    SELECT {_ABORTED} AS item FROM sessions s
                    WHERE s.status = 'aborted' AND s.backend_session_id IS NULL
                    ORDER BY coalesce(s.aborted_at, s.failed_at, s.updated_at) DESC, s.id DESC
                    LIMIT :recent
                )
            ))
        )
    """
    found = tx.json(sql, {"now": tx.now, "recent": recent})
    assert found is not None
    found.is_volatile = True
    return found


def usage(tx: ReadTx, query: UsageFilter) -> JsonText:
    """Sums, the newest day or the greatest cost first."""
    where = Where(params={"limit": query.limit, "offset": query.offset})
    if query.project_id is not None:
        project_id = tx.services.get(Projects).resolve(tx, query.project_id)
        where.add("u.project_id = :project_id", project_id=project_id)
    where.equal("u.agent_id", agent_id=query.agent_id)
    where.equal("u.ticket_id", ticket_id=query.ticket_id)
    key = {"day": "day", "agent": "agent_id", "ticket": "ticket_id"}[query.group_by]
    if key != "day":
        where.add(f"u.{key} IS NOT NULL")
    keys: dict[str, Any] = dict.fromkeys(("day", "agent_id", "ticket_id"), "NULL")
    keys[key] = f"u.{key}"
    sums = {
        name: f"sum(u.{name})"
        for name in UsageRow.model_fields
        if name not in keys and name != "sessions"
    }
    item = json_object(UsageRow, "u", **keys, **sums, sessions="count(DISTINCT u.session_id)")
    order = "u.day DESC" if key == "day" else f"sum(u.cost_usd) DESC, u.{key}"
    sql = f"""
        SELECT {item} FROM session_usage u {where.sql} GROUP BY u.{key}
        ORDER BY {order} LIMIT :limit OFFSET :offset
    """
    return tx.json_list(sql, where.params)
