"""Every SELECT over permission requests."""

from typing import Any

from kombuse_plugins.permissions.schemas import LogEntry, LogFilter
from kombuse_sdk.contracts import Tickets
from kombuse_sdk.sql import JsonText, Where, json_object
from kombuse_sdk.storage import ReadTx, Row

__all__ = ["by_request", "log", "pending", "same_pending", "taken_ids"]

_STATUSES = {"allow": "allowed", "deny": "denied", "auto_approved": "auto_approved"}
_BEHAVIOR = """
    CASE WHEN r.status IN ('allowed', 'auto_approved') THEN 'allow'
         WHEN r.status = 'denied' THEN 'deny' END
"""


def by_request(tx: ReadTx, session_id: str, request_id: str) -> Row | None:
    sql = "SELECT * FROM permission_requests WHERE kombuse_session_id = ? AND request_id = ?"
    return tx.one(sql, (session_id, request_id))


def same_pending(tx: ReadTx, session_id: str, argument_hash: str) -> int | None:
    sql = """
        SELECT id FROM permission_requests
        WHERE kombuse_session_id = ? AND argument_hash = ? AND status = 'pending'
    """
    found: int | None = tx.value(sql, (session_id, argument_hash))
    return found


def taken_ids(tx: ReadTx, session_id: str, request_id: str) -> set[str]:
    """The request ids of the session that are `request_id` or begin with `request_id~`."""
    sql = """
        SELECT request_id FROM permission_requests
        WHERE kombuse_session_id = :session AND (request_id = :id
            OR (request_id >= :id || '~' AND request_id < :id || char(127)))
    """
    return set(tx.values(sql, {"session": session_id, "id": request_id}))


def pending(tx: ReadTx, project_id: str | None) -> list[Row]:
    """In the order in which they were asked."""
    where = Where(["r.status = 'pending'"])
    where.equal("+r.project_id", project_id=project_id)
    sql = f"""
        SELECT r.kombuse_session_id, r.request_id, r.tool_name, r.input, r.description,
            {_ticket(tx, "ticket_number")} AS ticket_number, r.project_id
        FROM permission_requests r INDEXED BY permission_requests_open {where.sql} ORDER BY r.id
    """
    return tx.all(sql, where.params)


def log(tx: ReadTx, project_id: str, query: LogFilter) -> JsonText:
    where = Where(params={"limit": query.limit, "offset": query.offset})
    where.equal("r.project_id", project_id=project_id)
    where.equal("r.tool_name", tool_name=query.tool_name)
    where.equal("r.status", status=_STATUSES.get(query.behavior or ""))
    by_tool, by_status = query.tool_name is not None, query.behavior is not None
    index = {
        (False, False): "requested",
        (True, False): "tool",
        (False, True): "status",
        (True, True): "both",
    }[by_tool, by_status]
    columns: dict[str, Any] = {
        "session_id": "r.kombuse_session_id",
        "ticket_number": _ticket(tx, "ticket_number"),
        "ticket_title": _ticket(tx, "title"),
        "input": "json(r.input)",
        "auto_approved": "r.status = 'auto_approved'",
        "behavior": _BEHAVIOR,
        "deny_message": "iif(r.status = 'denied', r.message, NULL)",
        "resolved_at": "iif(r.status = 'auto_approved', NULL, r.resolved_at)",
    }
    sql = f"""
        SELECT {json_object(LogEntry, "r", **columns)}
        FROM permission_requests r INDEXED BY permission_requests_{index} {where.sql}
        ORDER BY r.requested_at DESC, r.id DESC LIMIT :limit OFFSET :offset
    """
    return tx.json_list(sql, where.params)


def _ticket(tx: ReadTx, column: str) -> str:
    if tx.services.find(Tickets) is None:
        return "NULL"
    return f"(SELECT t.{column} FROM tickets t WHERE t.id = r.ticket_id)"
