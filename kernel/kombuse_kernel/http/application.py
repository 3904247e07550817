"""The ASGI application: guard, route, answer. FastAPI serves what needs it and the API document."""

import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import cached_property
from typing import Any

from fastapi import FastAPI
from starlette.responses import Response

from kombuse_kernel.http.answers import NOSNIFF, Answer, error_answer, json_answer
from kombuse_kernel.http.binding import Incoming
from kombuse_kernel.http.guards import Caller, Guard
from kombuse_kernel.http.handlers import RouteHandler
from kombuse_kernel.http.mounting import ApiRoutes
from kombuse_kernel.http.routing import Match, RouteTree
from kombuse_kernel.kernel import RunningKernel
from kombuse_sdk.errors import BadRequest, KombuseError, NotFound
from kombuse_sdk.types import Mount

__all__ = ["Application", "build_app"]

log = logging.getLogger("kombuse.http")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_METHODS = b"GET, POST, PUT, PATCH, DELETE, OPTIONS"
_READS = frozenset({"GET", "HEAD"})
Target = RouteHandler | Mount | Answer | None


class Application:
    """Every request passes the guard first; `None` as a target means FastAPI."""

    def __init__(self, kernel: RunningKernel) -> None:
        self.kernel = kernel
        kernel.api = self
        self.failure: Exception | None = None
        self.guard = Guard(kernel.config.allowed_origins)
        self._boot = secrets.token_hex(4)
        self._api = ApiRoutes(kernel)
        self._mounts = [mount for _, mount in kernel.offers("kombuse_mounts")]
        self._tree: RouteTree[Target] = RouteTree()
        for path, methods, handler in self._api.handlers:
            self._tree.add(path, methods, handler)
        for mount in self._mounts:
            self._tree.add(mount.path, ["*"], mount)
        self._tree.add("/", ["GET"], json_answer(b'{"hello":"world"}'))
        self._tree.add("/health", ["GET"], json_answer(b'{"status":"ok"}'))
        self._tree.add("/openapi.json", ["GET"], None)

    @cached_property
    def fastapi(self) -> FastAPI:
        """Made on first use: the API document and routes with FastAPI's own parameters."""
        return self._api.document()

    @property
    def paths(self) -> list[tuple[str, str]]:
        """(method, path) of every route of the API, in the order of registration."""
        return [(m, path) for path, methods, _ in self._api.handlers for m in sorted(methods)]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        is_socket = scope["type"] == "websocket"
        method = "GET" if is_socket else scope["method"]
        caller = self.guard.check(method, scope["headers"], is_socket=is_socket)
        if is_socket:
            await self._websocket(scope, receive, send, caller)
            return
        if isinstance(caller, Answer):
            await caller.send(send)
            return
        if caller.origin is not None:
            origin = (b"access-control-allow-origin", caller.origin.encode("latin-1"))
            send = _with_headers(send, origin, (b"vary", b"Origin"))
        if scope["method"] == "HEAD":
            send = _without_body(send)
        await self._http(scope, receive, send, caller)

    async def _http(self, scope: Any, receive: Any, send: Any, caller: Caller) -> None:
        try:
            answer = await self._dispatch(scope, receive, send, caller)
        except Exception as error:
            answer = error_answer(error)
        if isinstance(answer, Answer):
            await answer.send(send)
        elif answer is not None:
            await answer(scope, receive, _with_headers(send, NOSNIFF))

    async def _dispatch(
        self, scope: Any, receive: Any, send: Any, caller: Caller
    ) -> Answer | Response | None:
        method = scope["method"]
        if method == "OPTIONS" and caller.origin and caller.request_method:
            return _preflight(caller)
        scope["kombuse_session"] = self.kernel.access.admit(scope)
        match = self._find(scope)
        target = self._target(match, method)
        if isinstance(target, Answer):
            return target
        if isinstance(target, Mount):
            return await self._forward(target.app, scope, receive, send)
        if target is None:
            if method == "HEAD":
                scope = {**scope, "method": "GET"}
            return await self._forward(self.fastapi, scope, receive, send)
        tag = None
        if method in _READS:
            tag = b'W/"%s-%d"' % (self._boot.encode(), self.kernel.db.commits)
            if caller.if_none_match is not None and tag in caller.if_none_match:
                return Answer(304, headers=[(b"etag", tag)])
        incoming = Incoming(scope, receive, match.values)
        answer = await target(self.kernel, incoming, caller.content_type)
        if tag and isinstance(answer, Answer) and len(answer.headers) == 1:
            answer.headers.append((b"etag", tag))
        return answer

    async def _forward(self, app: Any, scope: Any, receive: Any, send: Any) -> Answer | None:
        """Hand the request to another application; the answer to its failure, if it is not late."""
        started = False
        send = _with_headers(send, NOSNIFF)

        async def tracked(message: Any) -> None:
            nonlocal started
            started = True
            await send(message)

        scope["kombuse"] = self.kernel
        try:
            await app(scope, receive, tracked)
        except Exception as error:
            answer = error_answer(error)
            return None if started else answer
        return None

    def _find(self, scope: Any) -> Match[Target]:
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        raw = raw.split(b"?", 1)[0]
        if b"%" in raw and _BAD_ESCAPE.search(raw):
            raise BadRequest("The path has a malformed escape")
        try:
            match = self._tree.find(raw.decode("ascii"))
        except UnicodeDecodeError:
            raise BadRequest("The path is not UTF-8") from None
        if match is None:
            raise NotFound(f"Route {scope.get('method', 'GET')}:{scope['path']} not found")
        return match

    def _target(self, match: Match[Target], method: str) -> Target:
        """A method that the path does not have is an unknown route, as the API says."""
        targets = match.targets
        if "*" in targets:
            return targets["*"]
        if method == "OPTIONS":
            allowed = {*targets, "OPTIONS"} | ({"HEAD"} if "GET" in targets else set())
            return Answer(204, headers=[(b"allow", ", ".join(sorted(allowed)).encode())])
        name = "GET" if method == "HEAD" else method
        if name not in targets:
            raise NotFound(f"Method {method} is not available here")
        return targets[name]

    async def _websocket(self, scope: Any, receive: Any, send: Any, caller: Any) -> None:
        """Refused before the handshake unless the guard is content and a plugin serves the path."""
        target = caller if isinstance(caller, Answer) else self._socket_target(scope)
        if isinstance(target, Mount):
            scope["kombuse"] = self.kernel
            await target.app(scope, receive, send)
            return
        await receive()
        if "websocket.http.response" in scope.get("extensions", ()):
            await target.send(_refusing_socket(send))
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _socket_target(self, scope: Any) -> Mount | Answer:
        try:
            self.kernel.access.admit(scope)
            target = self._find(scope).targets.get("*")
        except KombuseError as error:
            return error_answer(error)
        if isinstance(target, Mount):
            return target
        return error_answer(NotFound(f"No WebSocket at {scope['path']}"))

    async def _lifespan(self, receive: Any, send: Any) -> None:
        try:
            async with AsyncExitStack() as stack:
                await receive()
                try:
                    self.kernel.start()
                    for mount in self._mounts:
                        if mount.lifespan is not None:
                            await stack.enter_async_context(mount.lifespan())
                except Exception as error:
                    self.failure = error
                    log.debug("the server cannot start", exc_info=error)
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    return
                await send({"type": "lifespan.startup.complete"})
                await receive()
        finally:
            self.kernel.stop()
        await send({"type": "lifespan.shutdown.complete"})


def build_app(kernel: RunningKernel) -> Application:
    return Application(kernel)


def _preflight(caller: Caller) -> Answer:
    headers = [(b"access-control-allow-methods", _METHODS), (b"access-control-max-age", b"600")]
    if caller.request_headers:
        headers.append((b"access-control-allow-headers", caller.request_headers))
    return Answer(204, headers=headers)


def _without_body(send: Any) -> Callable[[Any], Awaitable[None]]:
    async def sending(message: Any) -> None:
        await send({**message, "body": b""} if "body" in message else message)

    return sending


def _with_headers(send: Any, *extra: tuple[bytes, bytes]) -> Callable[[Any], Awaitable[None]]:
    async def sending(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ())]
            headers += [header for header in extra if header not in headers]
            message = {**message, "headers": headers}
        await send(message)

    return sending


def _refusing_socket(send: Any) -> Callable[[Any], Awaitable[None]]:
    async def sending(message: Any) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return sending
