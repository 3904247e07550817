"""What every request passes: limits, its token, and the form of answers and errors."""

import ipaddress
import json
import logging
import sqlite3
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kombuse_registry.server import tokens
from kombuse_registry.server.access import require
from kombuse_registry.server.audit import Origin, record
from kombuse_registry.server.errors import Refused
from kombuse_registry.server.rate_limit import Allowance, Kind
from kombuse_registry.server.registry import Registry
from kombuse_registry.server.tokens import Caller
from kombuse_sdk.errors import KombuseError

__all__ = ["Gate"]

log = logging.getLogger("kombuse.registry")
_HEALTH = "/api/pkg/-/health"
_REVOKE = "/api/pkg/-/tokens/revoke"
_API = "/api/"
# Pages load their own style sheet and send their own search, nothing else.
_POLICY = (
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Registry-Api": "1",
}


class Gate:
    """Puts `origin` (audit.Origin) and `registry` into the state of a request."""

    def __init__(self, app: ASGIApp, registry: Registry) -> None:
        self._app = app
        self._registry = registry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        address = self._address(scope, headers)
        kind = _kind(scope)
        answer = _Answer(send, scope, self._registry.limiter.full(kind))
        try:
            origin = await self._admitted(scope, headers, address, kind, answer)
            scope["app"] = self  # without one the router would answer what is not there in text
            scope.setdefault("state", {}).update(origin=origin, registry=self._registry)
            await self._app(scope, receive, answer.send)
        except (KombuseError, HTTPException) as error:
            await answer.refuse(error, scope, receive)
        except sqlite3.OperationalError as error:
            log.exception("the database failed")
            status, text = (503, "Try again later") if _is_busy(error) else (500, "Internal error")
            await answer.refuse(Refused(status, "UNAVAILABLE", text), scope, receive)
        except Exception:
            log.exception("a request failed")
            await answer.refuse(Refused(500, "INTERNAL", "Internal error"), scope, receive)

    async def _admitted(
        self, scope: Scope, headers: Headers, address: str, kind: Kind, answer: "_Answer"
    ) -> Origin:
        """Raises Refused 401, 403 or 429."""
        limiter = self._registry.limiter
        is_counted = not (self._registry.settings.rate_limits.loopback_exempt and _is_own(address))
        text = _bearer(headers)
        if is_counted:
            answer.allowance = limiter.take(kind, address)
            if text is not None:
                limiter.check("failure", address)
        agent = headers.get("user-agent")
        caller = None
        if text is not None:
            try:
                caller = await self._caller(text, address)
            except Refused as refused:
                if is_counted:
                    limiter.take("failure", address)
                where = Origin(address=address, user_agent=agent)
                detail = {"token": tokens.token_id(text), "code": refused.code}
                await self._registry.db.write_async(
                    lambda tx: record(tx, where, "auth.failed", **detail)
                )
                raise
            self._registry.counters.note_use(caller.token_id, address)
            if is_counted:
                mine = limiter.take(kind, f"token {caller.token_id}")
                answer.allowance = min(answer.allowance, mine, key=lambda one: one.remaining)
        self._check_reader(scope, caller)
        return Origin(caller=caller, address=address, user_agent=agent)

    async def _caller(self, text: str, address: str) -> Caller:
        return await self._registry.db.read_async(lambda tx: tokens.find(tx, text, address))

    def _check_reader(self, scope: Scope, caller: Caller | None) -> None:
        """In a closed registry nobody reads without a token."""
        is_open = self._registry.settings.read == "public" or scope["path"] in (_HEALTH, _REVOKE)
        if is_open or scope["method"] not in ("GET", "HEAD"):
            return
        require(caller, "read")

    def _address(self, scope: Scope, headers: Headers) -> str:
        """Of the client: a proxy on this machine is believed if the settings say so."""
        peer = str((scope.get("client") or ("",))[0])
        if self._registry.settings.trust_proxy and _is_own(peer):
            forwarded = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
            return forwarded or peer
        return peer


class _Answer:
    """Adds what all answers carry; errors can be told until the first byte is sent."""

    def __init__(self, send: Send, scope: Scope, allowance: Allowance) -> None:
        self._send = send
        self._is_read = scope["method"] in ("GET", "HEAD")
        self._has_begun = False
        self.allowance = allowance

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._has_begun = True
            headers = MutableHeaders(scope=message)
            for name, value in {**_SECURITY, **self.allowance.headers}.items():
                headers.setdefault(name, value)
            if self._is_read:
                headers.setdefault("Access-Control-Allow-Origin", "*")
        await self._send(message)

    async def refuse(
        self, error: KombuseError | HTTPException, scope: Scope, receive: Receive
    ) -> None:
        if self._has_begun:
            raise error
        status, body, headers = _told(error)
        headers = {"Cache-Control": "no-store", **headers}
        text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        response = Response(text, status, headers, "application/json")
        await response(scope, receive, self.send)


def _told(error: KombuseError | HTTPException) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    if isinstance(error, HTTPException):
        code = "METHOD_NOT_ALLOWED" if error.status_code == 405 else "NOT_FOUND"
        return error.status_code, {"error": error.detail, "code": code}, error.headers or {}
    headers = error.headers if isinstance(error, Refused) else {}
    return error.status, error.body(), headers


def _kind(scope: Scope) -> Kind:
    path: str = scope["path"]
    parts = path.removeprefix(f"{_API}pkg/").split("/")
    if scope["method"] == "POST" and len(parts) == 2 and parts[0] != "-":
        return "publish"
    return "download" if path.endswith("/download") else "read"


def _bearer(headers: Headers) -> str | None:
    """The token of a request, whatever the case of the scheme; another scheme is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def _is_own(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _is_busy(error: sqlite3.Error) -> bool:
    return "locked" in str(error) or "busy" in str(error) or "full" in str(error)
