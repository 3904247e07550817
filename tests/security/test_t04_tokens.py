"""T4: with a token required, nobody without it is answered, and an agent's opens /mcp alone."""

import asyncio
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx import Client
from starlette.testclient import TestClient, WebSocketDenialResponse
from tests.command_line import CommandLine
from tests.conftest import StartServer
from tests.security.raw_requests import Header, ask, connect_websocket, routes, send_bytes

from kombuse_kernel.app import build_app, kernel_for_tests
from kombuse_kernel.http.application import Application
from kombuse_sdk.agents import RunOptions
from kombuse_sdk.mcp_clients import Server
from kombuse_sdk.processes import ServerEnded, ServerProcess
from kombuse_sdk.types import Kernel

SESSION = "trigger-1b671a64-40d5-491e-99b0-da01ff1f3341"
OTHER = "trigger-2b671a64-40d5-491e-99b0-da01ff1f3341"
HOST: Header = (b"host", b"127.0.0.1:3331")
LISTING = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    """An application that wants a token."""
    home = tmp_path_factory.mktemp("guarded") / "home"
    home.mkdir(mode=0o700)
    (home / "config.json").write_text('{"require_token": true}', encoding="utf-8")
    kernel = kernel_for_tests(home, [])
    kernel.start()
    yield build_app(kernel)
    kernel.stop()


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"require_token": True}


@pytest.fixture
def token(kernel: Kernel) -> str:
    return (kernel.config.home / "token").read_text(encoding="ascii")


def bearer(token: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def given(token: str) -> list[list[Header]]:
    """What does not count as the token, though it looks like it."""
    right = token.encode()
    values = [
        b"",
        b"Bearer",
        b"Bearer ",
        b"Bearer " + right[:-1],
        b"Bearer " + right + b"x",
        b"Bearer " + right.swapcase(),
        b"Basic " + right,
        right,
        b"Bearer \xff\xfe",
        b"Bearer " + right + b"," + right,
        b"Bearer ." + b"0" * 64,
        b"Bearer " + SESSION.encode() + b"." + b"0" * 64,
    ]
    lists: list[list[Header]] = [[(b"authorization", value)] for value in values]
    twice: list[Header] = [(b"authorization", b"Bearer " + right)] * 2
    return [[], twice, [(b"cookie", b"token=" + right)], *lists]


def test_no_route_but_health_answers_without_the_token(guarded: Application) -> None:
    known = [route for route in routes(guarded) if route[1] != "/health"]
    token = (guarded.kernel.config.home / "token").read_text(encoding="ascii")

    async def ask_all() -> dict[tuple[str, str], int]:
        opened = {}
        for headers in given(token):
            for method, path in known:
                sent = [HOST, (b"content-type", b"application/json"), *headers]
                status, answered, body = await ask(guarded, method, path, sent, b"{}")
                if (status, answered.get("www-authenticate")) != (401, "Bearer"):
                    opened[method, path] = status
                assert list(json.loads(body)) == ["error"]
                assert token.encode() not in body
        return opened

    assert asyncio.run(ask_all()) == {}
    assert len(known) > 40


def test_every_route_answers_with_the_token(guarded: Application) -> None:
    headers = [HOST, (b"content-type", b"application/json"), *guarded.kernel.access.headers]

    async def ask_all() -> set[int]:
        known = routes(guarded)
        return {(await ask(guarded, method, path, headers, b"{}"))[0] for method, path in known}

    assert asyncio.run(ask_all()).isdisjoint({401, 403})


@pytest.mark.parametrize(
    "path", ["/health/", "/health/x", "/%68ealth", "//health", "/api/../health", "/HEALTH"]
)
def test_what_is_only_nearly_health_is_closed(guarded: Application, path: str) -> None:
    assert asyncio.run(ask(guarded, "GET", path, [HOST]))[0] == 401
    assert asyncio.run(ask(guarded, "GET", "/health", [HOST]))[0] == 200


def test_browsers_may_ask_before_and_see_why_they_are_refused(guarded: Application) -> None:
    page: list[Header] = [HOST, (b"origin", b"http://localhost:5173")]
    asking: list[Header] = [*page, (b"access-control-request-method", b"GET")]

    assert asyncio.run(ask(guarded, "OPTIONS", "/api/profiles", asking))[0] == 204
    assert asyncio.run(ask(guarded, "OPTIONS", "/api/profiles", page))[0] == 401
    status, headers, _ = asyncio.run(ask(guarded, "GET", "/api/profiles", page))
    assert (status, headers["access-control-allow-origin"]) == (401, "http://localhost:5173")


def test_no_websocket_opens_without_the_token(guarded: Application) -> None:
    token = (guarded.kernel.config.home / "token").read_text(encoding="ascii")
    paths = ["/ws", "/ws?token=", f"/ws?token={token}x", f"/ws?token={token}&token={token}"]

    async def connect_all() -> list[list[str]]:
        found = [await connect_websocket(guarded, path, [HOST]) for path in paths]
        return found + [
            await connect_websocket(guarded, "/ws", [HOST, *headers]) for headers in given(token)
        ]

    answers = asyncio.run(connect_all())
    assert all(answer == ["websocket.close"] for answer in answers)


def test_a_websocket_takes_the_token_as_a_header_or_in_its_address(
    client: TestClient, token: str
) -> None:
    at = "ws://127.0.0.1:3331/ws"
    for address, headers in ((f"{at}?token={token}", {}), (at, bearer(token))):
        with client.websocket_connect(address, headers=headers) as socket:
            socket.send_json({"type": "ping"})
            assert socket.receive_json() == {"type": "pong"}
    with pytest.raises(WebSocketDenialResponse) as refused, client.websocket_connect(at):
        pytest.fail("it opened")
    assert refused.value.status_code == 401


def test_the_address_of_a_request_holds_no_token(client: TestClient, token: str) -> None:
    assert client.get("/api/profiles", params={"token": token}).status_code == 401


def test_without_the_setting_there_is_neither_a_token_nor_a_need_for_one(
    app: Application,
) -> None:
    assert asyncio.run(ask(app, "GET", "/api/profiles", [HOST]))[0] == 200
    assert not (app.kernel.config.home / "token").exists()
    assert app.kernel.access.token_of(SESSION) is None


# The tokens of agents


def listed(client: TestClient | Client, headers: dict[str, str]) -> int:
    return client.post("/mcp", json=LISTING, headers=headers).status_code


def test_the_token_of_an_agent_opens_mcp_during_its_turn(
    client: TestClient, kernel: Kernel
) -> None:
    own = bearer(kernel.access.token_of(SESSION))

    before = listed(client, own)
    kernel.access.begin(SESSION)
    during = listed(client, own)
    of_another = listed(client, bearer(kernel.access.token_of(OTHER)))
    kernel.access.end(SESSION)

    assert (before, during, of_another, listed(client, own)) == (401, 200, 401, 401)


def test_the_token_of_an_agent_opens_nothing_else(guarded: Application) -> None:
    access = guarded.kernel.access
    known = [route for route in routes(guarded) if route[1] not in ("/health", "/mcp")]
    headers = [HOST, (b"authorization", f"Bearer {access.token_of(SESSION)}".encode())]
    access.begin(SESSION)

    async def ask_all() -> set[int]:
        return {(await ask(guarded, method, path, headers, b"{}"))[0] for method, path in known}

    try:
        assert asyncio.run(ask_all()) == {403}
        path = f"/ws?token={access.token_of(SESSION)}"
        assert asyncio.run(connect_websocket(guarded, path, [HOST])) == ["websocket.close"]
    finally:
        access.end(SESSION)


def test_an_agent_speaks_for_no_other_session(client: TestClient, kernel: Kernel) -> None:
    kernel.access.begin(SESSION)
    headers = bearer(kernel.access.token_of(SESSION))
    arguments = {"comment_id": 1, "kombuse_session_id": OTHER}
    params = {"name": "get_ticket_comment", "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}

    result = client.post("/mcp", json=message, headers=headers).json()["result"]

    assert result["isError"]
    assert "the token is that of another session" in result["content"][0]["text"]


def test_tools_that_ask_the_server_itself_still_do(client: TestClient, token: str) -> None:
    params = {"name": "call_api", "arguments": {"path": "/api/profiles/user-1"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}

    result = client.post("/mcp", json=message, headers=bearer(token)).json()["result"]

    assert json.loads(result["content"][0]["text"])["status"] == 200


def test_a_token_is_no_argument_of_a_program_that_everybody_sees(tmp_path: Path) -> None:
    from kombuse_plugins.claude_code.command import command_line, environment
    from kombuse_sdk.binaries import Found

    async def refuse(request: Any) -> Any:
        raise AssertionError

    options = RunOptions(
        session_id=SESSION, cwd=tmp_path, ask=refuse, mcp_url="http://x/mcp", mcp_token="se.cret"
    )
    found = Found(command="claude", version="2.1.0", is_available=True)

    line = command_line(found, options)

    assert "se.cret" not in " ".join(line)
    (config,) = (json.loads(part) for part in line if part.startswith("{"))
    headers = config["mcpServers"]["kombuse"]["headers"]
    assert headers == {"Authorization": "Bearer ${KOMBUSE_TOKEN}"}
    assert environment(found, options, {"KOMBUSE_TOKEN": "x"})["KOMBUSE_TOKEN"] == "se.cret"
    assert Server("u", with_token=True).for_codex == {
        "url": "u",
        "bearer_token_env_var": "KOMBUSE_TOKEN",
    }


# The file


def test_the_token_is_a_private_file_that_lasts(start_server: StartServer, tmp_path: Path) -> None:
    home = tmp_path / "home"
    server = start_server(options=["--require-token"])
    first = (home / "token").read_text(encoding="ascii")
    mode = (home / "token").stat().st_mode & 0o777
    server.stop()

    start_server(options=["--require-token"]).stop()
    kept = (home / "token").read_text(encoding="ascii")
    (home / "token").unlink()
    start_server(options=["--require-token"]).stop()

    assert (mode, len(first), kept == first) == (0o600, 43, True)
    assert (home / "token").read_text(encoding="ascii") != first


def link(path: Path) -> None:
    path.with_name("elsewhere").write_text("x" * 43, encoding="ascii")
    path.with_name("elsewhere").chmod(0o600)
    path.symlink_to(path.with_name("elsewhere"))


def readable(path: Path) -> None:
    path.write_text("x" * 43, encoding="ascii")
    path.chmod(0o640)


def empty(path: Path) -> None:
    path.touch(mode=0o600)


def short(path: Path) -> None:
    path.touch(mode=0o600)
    path.write_text("secret", encoding="ascii")


def folder(path: Path) -> None:
    path.mkdir(mode=0o700)


@pytest.mark.parametrize("plant", [link, readable, empty, short, folder])
def test_a_file_that_is_not_safe_keeps_the_server_from_starting(
    start_server: StartServer, tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    plant(home / "token")

    with pytest.raises(ServerEnded) as ended:
        start_server(options=["--require-token"])

    assert "token cannot be used: " in ended.value.output
    assert "Traceback" not in ended.value.output


# A real server


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    from kombuse_sdk.processes import running_server

    home = tmp_path_factory.mktemp("strict") / "home"
    with running_server(home, options=["--require-token", "--verbose"]) as process:
        yield process


def test_a_real_server_refuses_and_never_logs_a_token(strict: ServerProcess) -> None:
    token = (strict.home / "token").read_text(encoding="ascii")
    upgrade = (
        b"Host: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    )
    right = token.encode()

    closed = send_bytes(strict.port, b"GET /ws HTTP/1.1\r\n" + upgrade + b"\r\n")
    by_address = b"GET /ws?token=" + right + b" HTTP/1.1\r\n" + upgrade + b"\r\n"
    by_header = b"GET /ws HTTP/1.1\r\nAuthorization: Bearer " + right + b"\r\n" + upgrade + b"\r\n"
    opened = [send_bytes(strict.port, request) for request in (by_address, by_header)]

    assert closed.startswith(b"HTTP/1.1 401")
    assert [answer.startswith(b"HTTP/1.1 101") for answer in opened] == [True, True]
    assert strict.http.get("/api/profiles", headers=bearer("x")).status_code == 401
    assert strict.http.get("/api/profiles").status_code == 200
    assert "[hidden]" in strict.output
    assert token not in strict.output


def test_an_mcp_client_needs_the_token(strict: ServerProcess) -> None:
    import httpx2
    from mcp.client import Client as McpClient
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared.exceptions import MCPError

    token = (strict.home / "token").read_text(encoding="ascii")

    async def tools(headers: dict[str, str]) -> int:
        async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
            transport = streamable_http_client(f"{strict.url}/mcp", http_client=http)
            async with McpClient(transport) as client:
                return len((await client.list_tools()).tools)

    assert asyncio.run(tools(bearer(token))) > 5
    with pytest.raises(ExceptionGroup) as refused:
        asyncio.run(tools({}))
    assert refused.group_contains(MCPError, match="error response")


def test_the_command_line_brings_the_token_of_its_home(
    strict: ServerProcess,
    command_line: Callable[[Path], CommandLine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell = command_line(strict.home)

    assert shell.run("project", "list").code == 0
    monkeypatch.setenv("KOMBUSE_TOKEN", f"{SESSION}.0")
    assert "token is not valid" in shell.run("project", "list").err


def test_the_command_line_gives_no_token_to_whoever_took_the_port_of_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kombuse_sdk.client import Client as CommandClient

    for name in [name for name in os.environ if name.startswith("KOMBUSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    home = tmp_path / ".kombuse"
    home.mkdir()
    (home / "token").write_text("t" * 43, encoding="ascii")

    without = CommandClient()
    (home / "server-port").write_text("3331", encoding="ascii")

    assert without.token is None
    assert CommandClient().token == "t" * 43
    monkeypatch.setenv("KOMBUSE_PROCESS", "1")  # an agent runs it, and hides its own token
    assert CommandClient().token is None


def test_debugging_a_server_does_not_tell_tokens(
    kernel: Kernel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "uvicorn.error"):
        log = logging.getLogger("uvicorn.error")
        log.debug("< %s: %s", "Authorization", "bearer abc")
        log.info('%s - "WebSocket %s" [accepted]', "1.2.3.4", "/ws?x=1&token=abc&y=2")
        log.info("nothing of %s", "the kind")

    texts = [record.getMessage() for record in caplog.records]
    assert texts == [
        "< Authorization: bearer [hidden]",
        '1.2.3.4 - "WebSocket /ws?x=1&token=[hidden]&y=2" [accepted]',
        "nothing of the kind",
    ]
