"""Who may talk to the server at all: Host, Origin and Fetch Metadata, before any routing.

A page on the internet can reach 127.0.0.1 through the browser: by a name that resolves to it
(DNS rebinding; the Host header gives it away) or by a cross-site request (Origin and
Sec-Fetch-Site give it away). Both are refused whatever the path.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kombuse_kernel.http.answers import Answer, error_answer
from kombuse_sdk.errors import Forbidden, KombuseError

__all__ = ["Caller", "Guard"]

_HOST = re.compile(rb"(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
_LOOPBACK_ORIGIN = re.compile(r"http://(?:localhost|127\.0\.0\.1)(?::\d{1,5})?", re.IGNORECASE)
_SOCKET_ORIGIN = re.compile(r"http://(?:localhost|127\.0\.0\.1):\d{1,5}", re.IGNORECASE)
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_MAX_HEADERS = 16 * 1024


class HeadersTooLarge(KombuseError):
    status = 431


@dataclass(slots=True)
class Caller:
    """The headers that the guard looked at, for the application to use."""

    origin: str | None = None
    if_none_match: bytes | None = None
    content_type: bytes = b""
    request_method: bytes | None = None
    request_headers: bytes | None = None


class Guard:
    def __init__(self, allowed_origins: Sequence[str] | None) -> None:
        self._allowed = None if allowed_origins is None else frozenset(allowed_origins)

    def allows_origin(self, origin: str, *, is_socket: bool = False) -> bool:
        """For WebSockets the API wants the port to be named."""
        if self._allowed is not None:
            return origin in self._allowed
        pattern = _SOCKET_ORIGIN if is_socket else _LOOPBACK_ORIGIN
        return origin == "app://." or pattern.fullmatch(origin) is not None

    def check(
        self, method: str, headers: Sequence[tuple[bytes, bytes]], *, is_socket: bool = False
    ) -> Caller | Answer:
        """The caller, or the refusal."""
        caller = Caller()
        hosts = 0
        size = 0
        origins = 0
        cross_site = False
        for name, value in headers:
            size += len(name) + len(value)
            if name == b"host":
                hosts += 1
                if not _HOST.fullmatch(value):
                    return _refuse("Forbidden" if value else "Missing Host header")
            elif name == b"origin":
                origins += 1
                caller.origin = value.decode("latin-1")
            elif name == b"content-type":
                caller.content_type = value
            elif name == b"if-none-match":
                caller.if_none_match = value
            elif name == b"sec-fetch-site":
                cross_site = value == b"cross-site"
            elif name == b"access-control-request-method":
                caller.request_method = value
            elif name == b"access-control-request-headers":
                caller.request_headers = value
        if hosts != 1:
            return _refuse("Forbidden" if hosts else "Missing Host header")
        if size > _MAX_HEADERS:
            return error_answer(HeadersTooLarge("Request headers are too large"))
        if caller.origin is not None:
            if origins > 1 or not self.allows_origin(caller.origin, is_socket=is_socket):
                return _refuse("Not allowed by CORS")
        elif cross_site and method not in _SAFE:
            return _refuse("Cross-site requests are refused")
        return caller


def _refuse(message: str) -> Answer:
    return error_answer(Forbidden(message))
