"""The server process: one socket, uvicorn on it, until Ctrl-C or SIGTERM."""

import asyncio
import errno
import fcntl
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kombuse_registry.server.app import build_app
from kombuse_registry.server.registry import Registry

__all__ = ["AlreadyRunning", "PortTaken", "hold", "listen", "run"]

_GRACE_SECONDS = 5
_QUEUE = 2048


class AlreadyRunning(Exception):
    """Another server has this data folder."""


class PortTaken(Exception):
    """The text says why nothing can listen there."""


@contextmanager
def hold(data: Path) -> Iterator[None]:
    """The data folder is this server's, until the end of the block or of the process."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(data / "server.lock", flags, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning from None
        yield
    finally:
        os.close(descriptor)


def listen(host: str, port: int) -> socket.socket:
    """A socket that queues connections from now on; `port` 0 takes any free one."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise PortTaken(f"{host} is no address of this machine") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_QUEUE)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"port {port} is taken") from error
        raise PortTaken(f"{host}:{port} cannot be used: {error.strerror}") from error
    return listener


def run(registry: Registry, listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """`on_ready` is called once requests are answered."""
    _raise_limit_of_files()
    config = uvicorn.Config(
        build_app(registry),
        http=_Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config, on_ready)
    # uvicorn raises the signal again after its end, for whoever handled it before: that is us.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)
    server.run(sockets=[listener])


def _raise_limit_of_files() -> None:
    """Each download has a connection and a file open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Connection(HttpToolsProtocol):
    """Nothing is made ready for a client before it has taken all that is on its way to it.

    Of a thousand slow downloads each waits with one part of its archive in memory.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()
