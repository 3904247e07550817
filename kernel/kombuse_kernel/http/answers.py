"""Answers, and what each exception becomes."""

import json
from dataclasses import dataclass, field
from typing import Any

from kombuse_sdk.failures import describe

__all__ = ["NOSNIFF", "Answer", "error_answer", "json_answer"]

NOSNIFF = (b"x-content-type-options", b"nosniff")
_JSON = (b"content-type", b"application/json")
Headers = list[tuple[bytes, bytes]]


@dataclass(slots=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)

    async def send(self, send: Any) -> None:
        headers = [*self.headers, NOSNIFF]
        if self.status not in (204, 304):
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def json_answer(body: bytes, status: int = 200, *headers: tuple[bytes, bytes]) -> Answer:
    return Answer(status, body, [_JSON, *headers])


def error_answer(error: BaseException) -> Answer:
    """The form of the API reference for any exception; details of faults go only to the log."""
    status, body = describe(error)
    more = [(b"www-authenticate", b"Bearer")] if status == 401 else []
    text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
    return json_answer(text, status, *more)
