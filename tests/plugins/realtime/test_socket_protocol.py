"""The WebSocket protocol of the server process, with short times: pings, silence, and the cut."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from kombuse_kernel.server import listen
from kombuse_plugins.realtime import SERVER_SETTINGS
from kombuse_plugins.realtime.socket_protocol import SocketProtocol

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PING = 0x89
CLOSE = 0x88
App = Callable[[Any, Any, Any], Awaitable[None]]


class QuickProtocol(SocketProtocol):
    cut_after = 0.2


@contextmanager
def serving(app: App, **settings: Any) -> Iterator[int]:
    """The port of a server in a thread."""
    options = SERVER_SETTINGS | {"ws": QuickProtocol} | settings
    config = uvicorn.Config(app, log_config=None, lifespan="off", **options)
    server = uvicorn.Server(config)
    with listen(0) as listener:
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", port))
        connection.sendall(HANDSHAKE)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        assert head.startswith(b"HTTP/1.1 101")
        yield connection


def read_to_the_end(connection: socket.socket) -> bytes:
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return data


class Silent:
    """Accepts, and waits until it is over."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        self.ended.set()


class Talking(Silent):
    """Sends more than the peer reads, then closes."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                while True:
                    await send({"type": "websocket.send", "text": "x" * 65536})
        await send({"type": "websocket.close", "code": 1013, "reason": "slow"})
        self.ended.set()


def test_the_server_pings_and_drops_who_does_not_answer() -> None:
    app = Silent()
    with (
        serving(app, ws_ping_interval=0.05, ws_ping_timeout=0.1) as port,
        connected(port) as connection,
    ):
        data = read_to_the_end(connection)

        assert data[0] == PING
        assert CLOSE in data[6:]
        assert b"keepalive" in data
        assert app.ended.wait(10)


def test_who_answers_pings_stays() -> None:
    app = Silent()
    with (
        serving(app, ws_ping_interval=0.02, ws_ping_timeout=0.5) as port,
        connected(port) as connection,
    ):
        for _ in range(20):
            ping = connection.recv(6)
            assert ping[0] == PING
            connection.sendall(bytes([0x8A, 0x84, 0, 0, 0, 0]) + ping[2:])

        assert not app.ended.is_set()


def test_a_ping_is_sent_every_20_seconds_and_two_may_be_missed() -> None:
    assert SERVER_SETTINGS["ws_ping_interval"] == 20
    assert SERVER_SETTINGS["ws_ping_timeout"] == 2 * SERVER_SETTINGS["ws_ping_interval"]


def test_a_peer_that_reads_late_is_told_why_it_was_dropped() -> None:
    app = Talking()
    with serving(app, ws=SocketProtocol) as port, connected(port) as connection:
        assert app.ended.wait(10)
        data = b""

        while not data.endswith(b"\x03\xf5slow"):
            part = connection.recv(65536)
            assert part
            data = (data + part)[-100:]


def test_a_peer_that_never_reads_is_cut_off() -> None:
    lost = threading.Event()

    class Watched(QuickProtocol):
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    app = Talking()
    with serving(app, ws=Watched) as port, connected(port):
        assert app.ended.wait(10)
        assert lost.wait(10)


def test_an_end_of_the_peer_while_it_does_not_read_is_an_end() -> None:
    class Endless(Silent):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "websocket.accept"})
            try:
                while True:
                    await send({"type": "websocket.send", "text": "x" * 65536})
            finally:
                self.ended.set()

    app = Endless()
    with serving(app) as port:
        with connected(port) as connection:
            connection.recv(1)
        assert app.ended.wait(10)


def test_what_is_no_text_is_told_and_the_peer_may_finish_its_sentence() -> None:
    app = Silent()
    with serving(app) as port, connected(port) as connection:
        connection.sendall(bytes([0x81, 0x81, 0, 0, 0, 0, 0xFF]))
        connection.sendall(bytes([0x81, 0xFE, 0xFF, 0xFF, 0, 0, 0, 0]) + b"x" * 65535)

        assert read_to_the_end(connection)[:4] == bytes([CLOSE, 2]) + b"\x03\xef"
        assert app.ended.wait(10)
