"""What /mcp answers to plain HTTP."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
JSON = {"content-type": "application/json"}


def error_code(answer: Any) -> int:
    body = answer.json()
    assert body["jsonrpc"] == "2.0"
    code: int = body["error"]["code"]
    return code


def test_the_server_says_who_it_is_and_that_it_has_tools_alone(client: TestClient) -> None:
    result = client.post("/mcp", json=INITIALIZE).json()["result"]

    assert result["serverInfo"] == {"name": "kombuse", "version": "0.1.0"}
    assert result["capabilities"] == {"tools": {"listChanged": False}}
    assert result["protocolVersion"] == "2025-06-18"


def test_no_handshake_and_no_session_are_needed(client: TestClient) -> None:
    answer = client.post("/mcp", json=PING, headers={"mcp-session-id": "anything"})

    assert answer.json() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize("accept", ["application/json", "*/*", "text/event-stream, */*"])
def test_a_client_that_accepts_json_is_served(client: TestClient, accept: str) -> None:
    answer = client.post("/mcp", json=PING, headers={"accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"


def test_a_client_that_does_not_say_what_it_accepts_is_served(client: TestClient) -> None:
    request = client.build_request("POST", "/mcp", json=PING)
    del request.headers["accept"]

    assert client.send(request).status_code == 200


def test_a_client_that_wants_events_alone_is_told_so(client: TestClient) -> None:
    answer = client.post("/mcp", json=PING, headers={"accept": "text/event-stream"})

    assert answer.status_code == 406


def test_the_protocol_without_a_handshake_is_spoken_too(client: TestClient) -> None:
    envelope = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": envelope}}

    answer = client.post("/mcp", json=message, headers=headers)

    assert answer.status_code == 200
    assert answer.json()["result"]["tools"]


def test_a_notification_is_accepted_without_an_answer(client: TestClient) -> None:
    message = {"jsonrpc": "2.0", "method": "notifications/initialized"}

    answer = client.post("/mcp", json=message)

    assert (answer.status_code, answer.content) == (202, b"")


@pytest.mark.parametrize("method", ["resources/list", "prompts/list", "x"])
def test_what_is_not_offered_is_not_found(client: TestClient, method: str) -> None:
    assert error_code(client.post("/mcp", json=PING | {"method": method})) == -32601


@pytest.mark.parametrize("body", [b"", b"{", b"hello", b'"\\ud800"', b"[" * 100_000])
def test_a_body_that_is_no_json_is_a_parse_error(client: TestClient, body: bytes) -> None:
    answer = client.post("/mcp", content=body, headers=JSON)

    assert answer.status_code == 400
    assert error_code(answer) == -32700


@pytest.mark.parametrize("body", ["null", "5", "{}", "[]", '{"jsonrpc":"1.0","method":"ping"}'])
def test_json_that_is_no_message_is_an_invalid_request(client: TestClient, body: str) -> None:
    answer = client.post("/mcp", content=body, headers=JSON)

    assert answer.status_code == 400
    assert error_code(answer) == -32600
    assert len(answer.text) < 200


def test_a_message_with_parts_of_the_wrong_type_is_refused(client: TestClient) -> None:
    answer = client.post("/mcp", json=PING | {"params": 5})

    assert answer.status_code == 400
    assert error_code(answer) == -32602


def test_the_body_may_have_one_mebibyte(client: TestClient) -> None:
    message = json.dumps(PING | {"params": {"_meta": {"filler": ""}}})
    fitting = message.replace('""', json.dumps("x" * (1024 * 1024 - len(message))))

    assert client.post("/mcp", content=fitting, headers=JSON).status_code == 200
    assert client.post("/mcp", content=fitting + " ", headers=JSON).status_code == 413


def test_a_body_of_another_type_is_refused(client: TestClient) -> None:
    answer = client.post("/mcp", content=json.dumps(PING), headers={"content-type": "text/plain"})

    assert answer.status_code == 415
    assert error_code(answer) == -32000


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_other_methods_are_not_allowed(client: TestClient, method: str) -> None:
    answer = client.request(method, "/mcp", headers={"accept": "text/event-stream"})

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST, DELETE, OPTIONS"
    assert error_code(answer) == -32000


def test_ending_a_session_that_never_was_is_fine(client: TestClient) -> None:
    assert client.delete("/mcp").status_code == 200


def test_a_browser_of_this_machine_may_read_the_answer(client: TestClient) -> None:
    answer = client.post("/mcp", json=PING, headers={"origin": "http://localhost:5173"})

    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"


def test_a_foreign_page_is_refused(client: TestClient) -> None:
    assert client.post("/mcp", json=PING, headers={"origin": "http://evil.com"}).status_code == 403
    assert client.post("/mcp", json=PING, headers={"host": "evil.com"}).status_code == 403


def test_localhost_without_a_port_is_a_host(client: TestClient) -> None:
    assert client.post("/mcp", json=PING, headers={"host": "localhost"}).status_code == 200


def test_a_trailing_slash_is_another_address(client: TestClient) -> None:
    assert client.post("/mcp/", json=PING).status_code == 404


def test_a_websocket_is_refused(client: TestClient) -> None:
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/mcp"):
        pass
