"""Who may use the server: the token of its home, and those of agents while they work.

With `require_token` every request but that for `/health` needs a token, as `Authorization: Bearer`
or, for WebSockets, whose headers a browser cannot set, as the query parameter `token`. The one in
the file of the home stands for the person. An agent gets one of its own, in the variable
`KOMBUSE_TOKEN`: it opens `/mcp` alone, for its own session, and only during a turn of that.
"""

import errno
import hmac
import logging
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from kombuse_sdk.errors import Forbidden, Unauthorized
from kombuse_sdk.home import TOKEN_FILE, write_private
from kombuse_sdk.types import Config

__all__ = ["Access", "open_access"]

_TOKEN = re.compile(r"[\w-]{43,}")
_SECRETS = re.compile(r"(?i)(\bbearer\s+|[?&]token=)[^\s\"&]+")
_OPEN = b"/health"
_log = logging.getLogger("uvicorn.error")
_FOR_AGENTS = b"/mcp"


class Access:
    """`token` None lets everybody in who passes the other guards."""

    def __init__(self, token: str | None = None) -> None:
        self._token = token
        self._key = secrets.token_bytes(32)
        self._sessions: set[str] = set()

    @property
    def is_required(self) -> bool:
        return self._token is not None

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What the server's requests of itself carry."""
        return [(b"authorization", f"Bearer {self._token}".encode())] if self._token else []

    def admit(self, scope: Mapping[str, Any]) -> str | None:
        """The session whose agent makes an ASGI request, None for the person.

        Raises Unauthorized, or Forbidden where an agent's token does not reach.
        """
        path: bytes = (scope.get("raw_path") or scope["path"].encode()).split(b"?", 1)[0]
        if self._token is None or path == _OPEN:
            return None
        given = _given(scope)
        if given is None:
            raise Unauthorized("A token is needed: Authorization: Bearer <token>")
        if hmac.compare_digest(given, self._token.encode()):
            return None
        session_id = self._session_of(given)
        if session_id is None:
            raise Unauthorized("The token is not valid")
        if path != _FOR_AGENTS:
            raise Forbidden("The token of an agent opens nothing but /mcp")
        return session_id

    def token_of(self, session_id: str) -> str | None:
        """The token of a session's agent, None where none is needed."""
        if self._token is None:
            return None
        proof = hmac.digest(self._key, session_id.encode(), "sha256").hex()
        return f"{session_id}.{proof}"

    def begin(self, session_id: str) -> None:
        """The session's token counts until `end`. From any thread, as `end`."""
        self._sessions.add(session_id)

    def end(self, session_id: str) -> None:
        self._sessions.discard(session_id)

    def _session_of(self, given: bytes) -> str | None:
        session_id = given.rpartition(b".")[0].decode("latin-1")
        known = self.token_of(session_id) if session_id in self._sessions else None
        return session_id if known and hmac.compare_digest(given, known.encode()) else None


class _HidingTokens(logging.Filter):
    """uvicorn logs the addresses of WebSockets and, when it is to be verbose, all headers."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if _SECRETS.search(message):
            record.msg, record.args = _SECRETS.sub(r"\1[hidden]", message), ()
        return True


def open_access(config: Config) -> Access:
    """As `require_token` of the configuration says: with the token of the home, made if need be.

    Raises OSError for a file that is not safe. From then on no token gets into the server's log.
    """
    if not config.values.get("require_token"):
        return Access()
    if not any(isinstance(item, _HidingTokens) for item in _log.filters):
        _log.addFilter(_HidingTokens())
    return Access(_token(config.home / TOKEN_FILE))


def _token(path: Path) -> str:
    if path.is_symlink():
        raise _unsafe(path, "it is a symbolic link")
    if not path.exists():
        write_private(path, secrets.token_urlsafe(32))
    if not path.is_file() or path.stat().st_mode & 0o077:
        raise _unsafe(path, "others may read it, too")
    token = path.read_text(encoding="ascii", errors="replace").strip()
    if not _TOKEN.fullmatch(token):
        raise _unsafe(path, "it holds no token")
    return token


def _unsafe(path: Path, reason: str) -> OSError:
    return PermissionError(
        errno.EPERM, f"{reason}. Delete it, and the next start makes a new token", str(path)
    )


def _given(scope: Mapping[str, Any]) -> bytes | None:
    """The one token of a request; two are none."""
    found = list(_tokens(scope))
    return found[0] if len(found) == 1 else None


def _tokens(scope: Mapping[str, Any]) -> Iterator[bytes]:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            yield token.strip() if scheme.lower() == b"bearer" else b""
    if scope["type"] == "websocket":
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        yield from (token.encode("latin-1", "replace") for token in query.get("token", ()))
