"""T1: no name but that of this machine opens any route."""

import asyncio

import pytest
from starlette.testclient import TestClient
from tests.security.raw_requests import Header, ask, connect_websocket, routes, send_bytes

from kombuse_kernel.http.application import Application
from kombuse_sdk.processes import ServerProcess

EVIL: dict[str, list[bytes]] = {
    "another name": [b"evil.example"],
    "another name with our port": [b"evil.example:3331"],
    "our address as a subdomain": [b"127.0.0.1.evil.example"],
    "our name as a subdomain": [b"localhost.evil.example"],
    "a trailing dot": [b"localhost."],
    "a trailing dot and a port": [b"localhost.:3331"],
    "absent": [],
    "empty": [b""],
    "two": [b"127.0.0.1", b"evil.example"],
    "two the other way": [b"evil.example", b"127.0.0.1"],
    "the same twice": [b"127.0.0.1", b"127.0.0.1"],
    "a list": [b"127.0.0.1, evil.example"],
    "more behind the bracket": [b"[::1]evil"],
    "a name in brackets": [b"[evil.example]"],
    "a user": [b"user@localhost"],
    "a password that looks like a port": [b"localhost:3331@evil.example"],
    "a port that is none": [b"localhost:evil"],
    "an empty port": [b"localhost:"],
    "another loopback address": [b"127.0.0.2"],
    "every address": [b"0.0.0.0"],
    "an address in decimal": [b"2130706433"],
    "an address in short": [b"127.1"],
    "spaces": [b" localhost"],
    "a line": [b"localhost\r\nx: y"],
    "a null": [b"localhost\x00.evil.example"],
    "a path": [b"localhost/"],
    "not ascii": ["locälhost".encode()],
}


def hosts(case: str) -> list[Header]:
    return [(b"host", value) for value in EVIL[case]]


@pytest.mark.parametrize("case", EVIL)
def test_no_route_answers_to_another_host(app: Application, case: str) -> None:
    known = routes(app)

    async def ask_all() -> set[tuple[str, str]]:
        opened = set()
        for method, path in known:
            headers = [*hosts(case), (b"content-type", b"application/json")]
            status, _, body = await ask(app, method, path, headers, b"{}")
            if status != 403 or b"error" not in body:
                opened.add((method, path))
        return opened

    assert asyncio.run(ask_all()) == set()
    assert len(known) > 40


@pytest.mark.parametrize("case", EVIL)
def test_no_websocket_opens_to_another_host(app: Application, case: str) -> None:
    async def connect_all() -> list[list[str]]:
        paths = sorted({path for _, path in routes(app)})
        return [await connect_websocket(app, path, hosts(case)) for path in paths]

    answers = asyncio.run(connect_all())

    assert all(answer == ["websocket.close"] for answer in answers)


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "127.0.0.1", "[::1]", "localhost:1", "127.0.0.1:65535"]
)
def test_names_of_this_machine_are_served(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "lines",
    [
        b"Host: evil.example",
        b"Host: 127.0.0.1.evil.example",
        b"Host: localhost.",
        b"Host: [::1]evil",
        b"Host: 127.0.0.1\r\nHost: evil.example",
        b"Host:",
        b"X-Forwarded-Host: localhost",
        b"Host: evil.example\r\nX-Forwarded-Host: localhost",
    ],
)
@pytest.mark.parametrize(
    "target", [b"/health", b"/mcp", b"/api/profiles", b"http://localhost/health"]
)
def test_a_real_server_refuses_other_hosts(
    server: ServerProcess, lines: bytes, target: bytes
) -> None:
    request = b"GET " + target + b" HTTP/1.1\r\n" + lines + b"\r\n\r\n"

    assert send_bytes(server.port, request).startswith(b"HTTP/1.1 403")


def test_a_real_server_refuses_a_websocket_of_another_host(server: ServerProcess) -> None:
    request = (
        b"GET /ws HTTP/1.1\r\nHost: evil.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    assert send_bytes(server.port, request).startswith(b"HTTP/1.1 403")
