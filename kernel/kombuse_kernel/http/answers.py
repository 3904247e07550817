"""Answers, and what each exception becomes."""

import errno
import json
import logging
import sqlite3
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from kombuse_kernel.http.issues import issues_of
from kombuse_sdk.errors import KombuseError

__all__ = ["Answer", "error_answer", "json_answer"]

log = logging.getLogger("kombuse.http")
_JSON = (b"content-type", b"application/json")
Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)

    async def send(self, send: Any, *, with_body: bool = True) -> None:
        length = str(len(self.body)).encode()
        headers = (
            self.headers
            if self.status in (204, 304)
            else [*self.headers, (b"content-length", length)]
        )
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body if with_body else b""})


def json_answer(body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(status, body, [_JSON, *headers])


def error_answer(error: BaseException) -> Answer:
    """The form of the API reference for any exception; details of faults go only to the log."""
    status, body = _describe(error)
    return json_answer(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"), status)


def _describe(error: BaseException) -> tuple[int, dict[str, Any]]:
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
        case sqlite3.OperationalError() if "full" in str(error):
            return 507, {"error": "The disk is full: nothing was changed"}
        case sqlite3.OperationalError() if "readonly" in str(error) or "read-only" in str(error):
            return 503, {"error": "The database cannot be written: nothing was changed"}
        case OSError() if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return 507, {"error": "The disk is full: nothing was changed"}
        case _:
            log.error("unexpected error", exc_info=error)
            return 500, {"error": "Internal server error"}


def _constraint(error: sqlite3.IntegrityError) -> tuple[int, dict[str, Any]]:
    if "UNIQUE" in str(error):
        return 409, {"error": "It exists already"}
    if "FOREIGN KEY" in str(error):
        return 400, {"error": "It refers to something that does not exist"}
    return 400, {"error": "A value is not allowed"}
