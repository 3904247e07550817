"""T2: a page of another origin cannot open a WebSocket, and nothing it sends is looked at."""

import json
import socket
from pathlib import Path

import pytest
from tests.conftest import StartServer
from tests.sockets import open_socket
from websockets.frames import Frame, Opcode

from kombuse_sdk.processes import ServerProcess

FOREIGN = [
    "null",
    "",
    "http://evil.example",
    "https://evil.example",
    "https://localhost:3331",
    "https://127.0.0.1:3331",
    "http://localhost",
    "http://127.0.0.1",
    "http://localhost:",
    "http://localhost.evil",
    "http://localhost.evil:80",
    "http://localhost:1.evil.com",
    "http://localhost:1@evil",
    "http://localhost:1@evil:2",
    "http://user@localhost:1",
    "http://localhost:1/",
    "http://localhost:123456",
    "http://localhost:1#x",
    "http://localhost:1\thttp://evil",
    "http://127.0.0.1.evil:1",
    "http://127.0.0.2:1",
    "http://[::1]:1",
    "http://0.0.0.0:1",
    "http://2130706433:1",
    "ws://localhost:1",
    "file://",
    "app://",
    "app://..",
    "app://evil",
    "chrome-extension://abcdef",
]


def handshake(server: ServerProcess, *lines: str, path: str = "/ws") -> bytes:
    """All that the server answers to a handshake with a message right behind it."""
    head = [
        f"GET {path} HTTP/1.1",
        *lines,
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    body = json.dumps({"type": "subscribe", "topics": ["*"]}).encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        request = "\r\n".join(head).encode("latin-1") + b"\r\n\r\n"
        connection.sendall(request + Frame(Opcode.TEXT, body).serialize(mask=True))
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_origin_is_refused_before_the_handshake(
    server: ServerProcess, origin: str
) -> None:
    host = f"Host: 127.0.0.1:{server.port}"
    answer = handshake(server, host, f"Origin: {origin}")

    assert status(answer) == 403
    assert answer.endswith(b'{"error": "Not allowed by CORS"}')
    assert "ERROR" not in server.output


@pytest.mark.parametrize(
    "origin",
    ["app://.", "http://localhost:5173", "http://127.0.0.1:3331", "http://localhost:1"],
)
def test_pages_of_this_machine_are_let_in(server: ServerProcess, origin: str) -> None:
    with open_socket(server, origin=origin) as opened:
        assert opened.ask({"type": "ping"}) == {"type": "pong"}


def test_what_is_no_browser_sends_no_origin_and_is_let_in(server: ServerProcess) -> None:
    with open_socket(server) as opened:
        assert opened.ask({"type": "ping"}) == {"type": "pong"}


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:3331", "localhost.evil", "127.0.0.1@evil", "10.0.0.1"]
)
def test_a_foreign_host_name_is_refused(server: ServerProcess, host: str) -> None:
    answer = handshake(server, f"Host: {host}")

    assert status(answer) == 403
    assert answer.endswith(b'{"error": "Forbidden"}')


def test_two_origins_are_refused(server: ServerProcess) -> None:
    host = f"Host: 127.0.0.1:{server.port}"
    answer = handshake(server, host, "Origin: http://localhost:1", "Origin: http://evil.example")

    assert status(answer) == 400


@pytest.mark.parametrize(
    "path", ["/", "/health", "/api/tickets", "/ws/", "/ws/x", "//ws", "/%77s", "/%2577s", "/%ff"]
)
def test_no_other_path_takes_a_handshake(server: ServerProcess, path: str) -> None:
    answer = handshake(server, f"Host: 127.0.0.1:{server.port}", path=path)

    assert status(answer) in (400, 404)
    assert b"Traceback" not in answer
    assert "Traceback" not in server.output


def test_the_origins_that_the_person_named_are_the_only_ones(
    start_server: StartServer, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    config = {"allowed_origins": ["http://localhost:5173", "http://localhost"]}
    (home / "config.json").write_text(json.dumps(config), encoding="utf-8")
    server = start_server(home)
    host = f"Host: 127.0.0.1:{server.port}"

    for origin in ("app://.", "http://localhost:5174"):
        assert status(handshake(server, host, f"Origin: {origin}")) == 403
    for origin in config["allowed_origins"]:
        with open_socket(server, origin=origin) as opened:
            assert opened.ask({"type": "ping"}) == {"type": "pong"}
