"""The stdio bridge before servers that behave as ours does not, or not often."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kombuse_sdk.bridge import Bridge

Answer = Callable[["Handler", dict[str, Any]], None]
Connect = Callable[..., "Relay"]
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
CALL = {"jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": {"name": "größer"}}


class Handler(BaseHTTPRequestHandler):
    """Says what the test wants; `seen` are the headers of each request."""

    protocol_version = "HTTP/1.1"
    answer: Answer
    seen: list[dict[str, str]]
    connections: set[Any]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        type(self).seen.append({name.lower(): value for name, value in self.headers.items()})
        type(self).connections.add(self.client_address)
        type(self).answer(self, json.loads(body))

    def say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the output is the bridge's."""


class Server(ThreadingHTTPServer):
    """`closed` counts the connections that it has ended."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.closed = threading.Semaphore(0)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.closed.release()


class Relay:
    """A bridge in this process before a server that answers as `answer` does."""

    def __init__(self, home: Path, answer: Answer, patience: float) -> None:
        given = {"answer": staticmethod(answer), "seen": [], "connections": set()}
        self.handler: Any = type("Given", (Handler,), given)
        self.server = Server(("127.0.0.1", 0), self.handler)
        self.server.daemon_threads = True
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()
        self.written: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.home = home
        (home / "server-port").write_text(str(self.server.server_port), encoding="ascii")
        self.bridge = Bridge(
            home,
            lambda line: self.written.put(json.loads(line)),
            self.said.put,
            patience,
        )

    def ask(self, message: dict[str, Any]) -> list[Any]:
        """All that is written for one message."""
        self.bridge.take(json.dumps(message).encode())
        self.bridge.finish()
        return [self.written.get() for _ in range(self.written.qsize())]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    monkeypatch.delenv("KOMBUSE_TOKEN", raising=False)
    made: list[Relay] = []

    def to(answer: Answer, patience: float = 0.2) -> Relay:
        made.append(Relay(tmp_path, answer, patience))
        return made[-1]

    yield to
    for item in made:
        item.close()


def result(handler: Handler, message: dict[str, Any]) -> None:
    text = json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": {}}, indent=1)
    handler.say(200, "application/json; charset=utf-8", text.encode())


def test_one_connection_serves_one_call_after_the_other(relay: Connect) -> None:
    through = relay(result)

    answers = [through.ask(PING | {"id": number}) for number in range(5)]

    assert [[item["id"] for item in found] for found in answers] == [[n] for n in range(5)]
    assert len(through.handler.connections) == 1


def test_every_message_of_a_stream_is_written(relay: Connect) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/message"}

    def stream(handler: Handler, message: dict[str, Any]) -> None:
        last = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {}}).replace(", ", ",\ndata: ")
        events = f": hi\n\nid: 7\nevent: message\ndata: {json.dumps(note)}\r\n\r\ndata:{last}\n\n"
        handler.say(200, "text/event-stream", events.encode())

    assert relay(stream).ask(PING) == [note, {"jsonrpc": "2.0", "id": 1, "result": {}}]


def test_a_stream_that_breaks_off_is_an_error(relay: Connect) -> None:
    def broken(handler: Handler, message: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", "999")
        handler.end_headers()
        handler.wfile.write(b'data: {"jsonrpc": "2.0", "method": "x"}\n\n')
        handler.close_connection = True

    note, error = relay(broken).ask(PING)

    assert (note["method"], error["id"], error["error"]["code"]) == ("x", 1, -32000)


@pytest.mark.parametrize(
    ("status", "kind", "body", "code", "text"),
    [
        (200, "text/html", "<p>", -32000, "no MCP server"),
        (200, "application/json", "", -32000, "no MCP server"),
        (401, "application/json", '{"error": "Token wanted"}', -32000, "401: Token wanted"),
        (500, "application/json", "[", -32000, "500"),
        (
            413,
            "application/json",
            '{"jsonrpc": "2.0", "id": null, "error": {"code": -32600, "message": "big"}}',
            -32600,
            "big",
        ),
    ],
)
def test_a_refusal_gets_the_id_of_its_request(
    relay: Connect, status: int, kind: str, body: str, code: int, text: str
) -> None:
    through = relay(lambda handler, message: handler.say(status, kind, body.encode()))

    (answer,) = through.ask(CALL)

    assert (answer["id"], answer["error"]["code"]) == ("c", code)
    assert text in answer["error"]["message"]
    assert through.ask({"jsonrpc": "2.0", "method": "notifications/x"}) == []
    assert through.ask({"jsonrpc": "2.0", "id": 5, "result": {}}) == []


def test_a_call_that_may_have_been_carried_out_is_not_sent_again(
    relay: Connect,
) -> None:
    def hang_up(handler: Handler, message: dict[str, Any]) -> None:
        handler.close_connection = True

    through = relay(hang_up)

    (answer,) = through.ask(CALL)
    assert "whether the call was carried out is not known" in answer["error"]["message"]
    assert len(through.handler.seen) == 1

    (answer,) = through.ask(PING)
    assert answer["error"]["code"] == -32000
    assert len(through.handler.seen) > 2


def test_a_connection_that_the_server_closed_meanwhile_is_not_used(
    relay: Connect,
) -> None:
    def once(handler: Handler, message: dict[str, Any]) -> None:
        result(handler, message)
        handler.close_connection = True

    through = relay(once)

    for _ in range(5):
        (answer,) = through.ask(CALL)
        assert answer["result"] == {}
        assert through.server.closed.acquire(timeout=10)
    assert len(through.handler.seen) == 5


def test_a_cancelled_call_is_broken_off_and_not_answered(
    relay: Connect,
) -> None:
    began, ended = threading.Event(), threading.Event()

    def wait(handler: Handler, message: dict[str, Any]) -> None:
        if "id" not in message:
            handler.say(202, "application/json", b"")
            return
        began.set()
        assert handler.rfile.read(1) == b""  # until the other side hangs up
        handler.close_connection = True
        ended.set()

    through = relay(wait)
    cancel = {"method": "notifications/cancelled", "params": {"requestId": "c"}}
    through.bridge.take(json.dumps(CALL).encode())
    assert began.wait(10)

    assert through.ask({"jsonrpc": "2.0", **cancel}) == []
    assert ended.wait(10)
    assert len(through.handler.seen) == 2


def test_the_headers_say_what_the_message_says(relay: Connect) -> None:
    def negotiate(handler: Handler, message: dict[str, Any]) -> None:
        body = {"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": "2025-06-18"}}
        handler.say(200, "application/json", json.dumps(body).encode())

    through = relay(negotiate)
    meta = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}
    through.ask(PING | {"method": "initialize"})
    through.ask(PING)
    through.ask(CALL | {"params": CALL["params"] | meta})  # type: ignore[operator]
    through.ask(PING | {"params": {"_meta": {"io.modelcontextprotocol/protocolVersion": "x\ny"}}})

    first, second, modern, odd = through.handler.seen
    assert "mcp-protocol-version" not in first
    assert second["mcp-protocol-version"] == "2025-06-18" and "mcp-method" not in second
    assert modern["mcp-protocol-version"] == "2026-07-28"
    assert modern["mcp-method"] == "tools/call"
    assert modern["mcp-name"] == "=?base64?Z3LDtsOfZXI=?="
    assert "mcp-protocol-version" not in odd
    assert first["accept"] == "application/json, text/event-stream"


def test_the_token_of_the_home_is_sent_and_one_of_an_agent_before_it(
    relay: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    through = relay(result)

    through.ask(PING)
    (through.home / "token").write_text("secret\n", encoding="ascii")
    through.ask(PING)
    monkeypatch.setenv("KOMBUSE_TOKEN", "of-an-agent")
    through.ask(PING)

    sent = [headers.get("authorization") for headers in through.handler.seen]
    assert sent == [None, "Bearer secret", "Bearer of-an-agent"]


@pytest.mark.parametrize("text", ["", "x", "0", "99999", "1"])
def test_a_port_at_which_nothing_listens_is_an_answer_after_a_short_wait(
    relay: Connect, text: str
) -> None:
    through = relay(result)
    (through.home / "server-port").write_text(text, encoding="ascii")

    (answer,) = through.ask(CALL)

    assert (answer["id"], answer["error"]["code"]) == ("c", -32000)
    assert through.said.get() == f"waiting for the server of {through.home}"
    assert through.said.empty()
    assert through.handler.seen == []


def test_a_request_waits_for_a_server_that_is_about_to_start(relay: Connect) -> None:
    through = relay(result, patience=60)
    port = through.home / "server-port"
    port.rename(through.home / "later")

    through.bridge.take(json.dumps(PING).encode())
    assert through.said.get(timeout=10).startswith("waiting")
    (through.home / "later").rename(port)

    assert through.written.get(timeout=10)["result"] == {}
    assert through.said.get(timeout=10) == f"connected to port {through.server.server_port}"
