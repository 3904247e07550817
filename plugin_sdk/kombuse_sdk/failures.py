"""What each exception becomes at a boundary, be it HTTP or MCP.

Validation errors become issues, `{"code", "path", "message", ...}` with the codes of zod 4.
"""

import errno
import logging
import sqlite3
from typing import Any

from pydantic import ValidationError

from kombuse_sdk.errors import KombuseError

__all__ = ["describe", "issues_of"]

log = logging.getLogger("kombuse")
_CODES = {
    "missing": "invalid_type",
    "string_too_short": "too_small",
    "too_short": "too_small",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "string_too_long": "too_big",
    "too_long": "too_big",
    "less_than": "too_big",
    "less_than_equal": "too_big",
    "string_pattern_mismatch": "invalid_format",
    "literal_error": "invalid_value",
    "enum": "invalid_value",
    "extra_forbidden": "unrecognized_keys",
    "union_tag_invalid": "invalid_union",
    "union_tag_not_found": "invalid_union",
}
_EXPECTED = {
    "string_type": "string",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "int_type": "number",
    "int_parsing": "number",
    "float_type": "number",
    "list_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
}
_KEPT = ("expected", "minimum", "maximum")
_OWN = frozenset(
    {"invalid_type", "too_small", "too_big", "invalid_format", "invalid_value", "custom"}
)
_WRITE_ERRORS = frozenset(
    f"SQLITE_IOERR_{name}" for name in ("WRITE", "FSYNC", "DIR_FSYNC", "TRUNCATE", "SHMSIZE")
)


def describe(error: BaseException) -> tuple[int, dict[str, Any]]:
    """Status and body of an error answer; details of faults go only to the log."""
    match error:
        case KombuseError():
            return error.status, error.body()
        case ValidationError():
            return 400, {"error": issues_of(error)}
        case PermissionError():
            log.warning("no permission: %s", error)
            return 403, {"error": f"No permission to write {error.filename or 'the file'}"}
        case sqlite3.IntegrityError():
            log.error("a service let a constraint fail", exc_info=error)
            return _constraint(error)
        case sqlite3.OperationalError() if "locked" in str(error):
            return 503, {"error": "The database is busy, try again"}
        case sqlite3.OperationalError() if "full" in str(error) or _is_unwritten(error):
            return 507, {"error": "The disk is full: nothing was changed"}
        case sqlite3.OperationalError() if "readonly" in str(error) or "read-only" in str(error):
            return 503, {"error": "The database cannot be written: nothing was changed"}
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return 507, {"error": "The disk is full: nothing was changed"}
        case _:
            log.error("unexpected error", exc_info=error)
            return 500, {"error": "Internal server error"}


def _is_unwritten(error: sqlite3.Error) -> bool:
    """A quota or a size limit is an I/O error to SQLite, not a full disk."""
    return getattr(error, "sqlite_errorname", None) in _WRITE_ERRORS


def _constraint(error: sqlite3.IntegrityError) -> tuple[int, dict[str, Any]]:
    if "UNIQUE" in str(error):
        return 409, {"error": "It exists already"}
    if "FOREIGN KEY" in str(error):
        return 400, {"error": "It refers to something that does not exist"}
    return 400, {"error": "A value is not allowed"}


def issues_of(error: ValidationError) -> list[dict[str, Any]]:
    return [_issue(item) for item in error.errors(include_url=False, include_input=False)]


def _issue(item: Any) -> dict[str, Any]:
    kind = item["type"]
    code = kind if kind in _OWN else _CODES.get(kind)
    issue = {"code": code or "custom", "path": list(item["loc"]), "message": item["msg"]}
    if code is None and kind in _EXPECTED:
        issue |= {"code": "invalid_type", "expected": _EXPECTED[kind]}
    if kind == "missing":
        issue["message"] = "Required"
    context = item.get("ctx") or {}
    return issue | {key: context[key] for key in _KEPT if key in context}
