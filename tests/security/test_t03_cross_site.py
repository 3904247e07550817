"""T3: pages of other sites can neither write nor read, whatever kind of request they send."""

import asyncio

import pytest
from starlette.testclient import TestClient
from tests.security.raw_requests import Header, ask, connect_websocket, routes

from kombuse_kernel.http.application import Application
from kombuse_sdk.types import Kernel

HOST: Header = (b"host", b"127.0.0.1:3331")
FOREIGN: dict[str, list[Header]] = {
    "another site": [(b"origin", b"https://evil.example")],
    "an opaque origin": [(b"origin", b"null")],
    "our name as a subdomain": [(b"origin", b"http://localhost.evil.example")],
    "our name as a user": [(b"origin", b"http://localhost:1@evil.example")],
    "our name as a prefix": [(b"origin", b"http://localhost:evil.example")],
    "another scheme": [(b"origin", b"https://localhost:3331")],
    "a file": [(b"origin", b"file://")],
    "almost the desktop app": [(b"origin", b"app://.evil")],
    "an extension": [(b"origin", b"chrome-extension://abc")],
    "empty": [(b"origin", b"")],
    "two": [(b"origin", b"http://localhost:3331"), (b"origin", b"https://evil.example")],
    "the same twice": [(b"origin", b"http://localhost:3331")] * 2,
    "fetch metadata alone": [(b"sec-fetch-site", b"cross-site")],
}
ORIGINS = [case for case, headers in FOREIGN.items() if headers[0][0] == b"origin"]
SIMPLE_BODIES = {
    "text/plain": b'{"type":"user","name":"mallory","id":"mallory"}',
    "application/x-www-form-urlencoded": b"type=user&name=mallory&id=mallory",
    "multipart/form-data; boundary=b": b'--b\r\nContent-Disposition: form-data; name="type"\r\n\r\n'
    b"user\r\n--b--\r\n",
    "application/json": b'{"type":"user","name":"mallory","id":"mallory"}',
    "": b"",
}


def row_counts(kernel: Kernel) -> dict[str, int]:
    with kernel.db.read() as tx:
        names = tx.values(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE TABLE%'"
        )
        return {name: tx.value(f'SELECT count(*) FROM "{name}"') for name in names}


@pytest.mark.parametrize("case", FOREIGN)
@pytest.mark.parametrize("kind", SIMPLE_BODIES)
def test_no_simple_request_of_another_site_writes(app: Application, case: str, kind: str) -> None:
    before = row_counts(app.kernel)
    headers = [HOST, *FOREIGN[case], (b"content-type", kind.encode())]

    async def ask_all() -> set[tuple[str, str, int]]:
        return {
            (method, path, status)
            for method, path in routes(app)
            if method not in ("GET", "HEAD")
            for status, _, _ in [await ask(app, method, path, headers, SIMPLE_BODIES[kind])]
            if status != 403
        }

    assert asyncio.run(ask_all()) == set()
    assert row_counts(app.kernel) == before


@pytest.mark.parametrize("case", ORIGINS)
def test_no_page_of_another_site_reads(app: Application, case: str) -> None:
    async def ask_all() -> set[int]:
        asked = [
            await ask(app, method, path, [HOST, *FOREIGN[case]]) for method, path in routes(app)
        ]
        assert not any("access-control-allow-origin" in headers for _, headers, _ in asked)
        return {status for status, _, _ in asked}

    assert asyncio.run(ask_all()) == {403}


@pytest.mark.parametrize("case", ORIGINS)
def test_no_websocket_of_another_site_opens(app: Application, case: str) -> None:
    sent = asyncio.run(connect_websocket(app, "/ws", [HOST, *FOREIGN[case]]))

    assert sent == ["websocket.close"]


PREFLIGHT = {"access-control-request-method": "PATCH", "access-control-request-headers": "x-a"}


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_a_preflight_of_another_site_is_refused(client: TestClient, origin: str) -> None:
    answer = client.options("/api/profiles", headers={"origin": origin} | PREFLIGHT)

    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("origin", ["http://localhost:5173", "http://127.0.0.1:80", "app://."])
def test_pages_of_this_machine_are_served_and_named_exactly(
    client: TestClient, origin: str
) -> None:
    preflight = client.options("/api/profiles", headers={"origin": origin} | PREFLIGHT)
    answers = [
        preflight,
        client.get("/api/profiles", headers={"origin": origin}),
        client.get("/api/nope", headers={"origin": origin}),
        client.post("/api/profiles", json={}, headers={"origin": origin}),
    ]

    assert preflight.status_code == 204
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == "x-a"
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == origin
        assert "Origin" in answer.headers["vary"]
        assert "access-control-allow-credentials" not in answer.headers


def test_nothing_is_ever_allowed_to_everybody(app: Application) -> None:
    async def ask_all() -> list[str]:
        return [
            headers.get("access-control-allow-origin", "")
            for method, path in routes(app)
            if path != "/mcp"
            for _, headers, _ in [await ask(app, method, path, [HOST])]
        ]

    assert set(asyncio.run(ask_all())) == {""}


NARROWED = pytest.mark.parametrize(
    "kombuse_config", [{"allowed_origins": ["http://localhost:3331"]}]
)


@NARROWED
@pytest.mark.parametrize(
    "origin", ["http://localhost:5173", "http://127.0.0.1:3331", "app://.", "http://localhost"]
)
def test_a_narrowed_list_refuses_other_ports_and_the_desktop_app(
    client: TestClient, origin: str
) -> None:
    body = {"type": "user", "name": "mallory"}

    answer = client.post("/api/profiles", json=body, headers={"origin": origin})

    assert (answer.status_code, answer.json()) == (403, {"error": "Not allowed by CORS"})


@NARROWED
def test_what_is_on_a_narrowed_list_is_served(client: TestClient) -> None:
    headers = {"origin": "http://localhost:3331"}

    assert client.get("/api/profiles", headers=headers).status_code == 200
