"""The server process: one socket on 127.0.0.1, uvicorn on it, a graceful end."""

import asyncio
import errno
import logging
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack

import uvicorn

from kombuse_kernel.app import build_app
from kombuse_kernel.home import announced_port
from kombuse_kernel.kernel import RunningKernel

__all__ = ["PortTaken", "StartFailed", "listen", "run"]

log = logging.getLogger("uvicorn.error")
_GRACE_SECONDS = 1


class PortTaken(Exception):
    """Something listens at the port already, or this user may not use it; the text says which."""


class StartFailed(Exception):
    """A plugin could not start; its exception is the cause."""


def listen(port: int) -> socket.socket:
    """A socket that queues connections from now on; `port` 0 takes any free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"port {port} is taken") from error
        if error.errno == errno.EACCES:
            raise PortTaken(f"port {port} is not allowed for this user") from error
        raise
    return listener


def run(kernel: RunningKernel, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; `on_ready` is called once requests are answered."""
    app = build_app(kernel)
    log.addFilter(_NoCuts())
    mounts = [mount for _, mount in kernel.offers("kombuse_mounts")]
    config = uvicorn.Config(
        app,
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        **{k: v for m in mounts for k, v in m.server_settings.items()},
    )
    with ExitStack() as stack:

        def ready() -> None:
            stack.enter_context(announced_port(kernel.config))
            on_ready()

        server = _Server(config, ready)
        # uvicorn raises the signal again after its end, for whoever handled it before: that is us.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, server.handle_exit)
        try:
            server.run(sockets=[listener])
        except SystemExit:
            if app.failure is None:
                raise
            raise StartFailed from app.failure


class _NoCuts(logging.Filter):
    """Connections that stay open, as streams do, are cut at the end, which is no error."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, asyncio.CancelledError) and not (
            record.getMessage().startswith("Cancel ")
        )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        log.setLevel(logging.CRITICAL)  # why a start fails is said by the command
        await super().startup(sockets)
        log.setLevel(logging.NOTSET)
        if self.started:
            self._on_ready()
