"""The client of the running server, against a server that answers as it is told."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from kombuse_sdk.client import Client, NotRunning, Refused, find_port
from kombuse_sdk.exit_codes import ExitCode

Answer = Callable[[int, bytes], list[tuple[str, str, bytes]]]


class Peer(HTTPServer):
    """Answers every request with `status` and `body`; keeps what it was asked."""

    status = 200
    body = b"{}"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str, bytes]] = []


class Handler(BaseHTTPRequestHandler):
    server: Peer
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        self.server.asked.append((self.command, self.path, self.rfile.read(size)))
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def home(tmp_path: Path, peer: Peer) -> Path:
    (tmp_path / "server-port").write_text(str(peer.server_port), encoding="ascii")
    return tmp_path


@pytest.fixture
def client(home: Path) -> Iterator[Client]:
    with Client(home) as made:
        yield made


def test_values_of_the_path_are_quoted_and_none_is_left_out_of_the_query(
    client: Client, peer: Peer
) -> None:
    client.get("/api/projects/{}/labels", "a/b ü", search="x&y", is_enabled=True, limit=None)

    assert peer.asked == [
        ("GET", "/api/projects/a%2Fb%20%C3%BC/labels?search=x%26y&is_enabled=true", b"")
    ]


def test_bodies_are_json(client: Client, peer: Peer) -> None:
    peer.body = b'{"id": 1}'

    assert client.post("/api/x", body={"name": "ü"}) == {"id": 1}
    assert client.patch("/api/x/{}", 1, body={"name": None}) == {"id": 1}

    assert [json.loads(body) for _, _, body in peer.asked] == [{"name": "ü"}, {"name": None}]


def test_answer_without_a_body_is_none(client: Client, peer: Peer) -> None:
    peer.status, peer.body = 204, b""

    assert client.delete("/api/x/{}", 1) is None


def test_pages_ends_with_the_page_that_is_not_full(client: Client, peer: Peer) -> None:
    peer.body = json.dumps(list(range(30))).encode()

    assert list(client.pages("/api/x", search="y")) == list(range(30))
    assert [path for _, path, _ in peer.asked] == ["/api/x?limit=100&offset=0&search=y"]


@pytest.mark.parametrize(
    ("status", "body", "message", "code"),
    [
        pytest.param(404, {"error": "Not here"}, "Not here", ExitCode.REFUSED, id="text"),
        pytest.param(
            400,
            {"error": [{"path": ["title"], "message": "Required"}, {"path": [], "message": "Bad"}]},
            "title: Required\nbody: Bad",
            ExitCode.REFUSED,
            id="issues",
        ),
        pytest.param(507, {"error": "Full"}, "Full", ExitCode.STORAGE, id="disk"),
        pytest.param(500, [], "the server answered 500", ExitCode.REFUSED, id="other"),
    ],
)
def test_refusal_has_the_text_of_the_answer_and_an_exit_code(
    client: Client, peer: Peer, status: int, body: Any, message: str, code: ExitCode
) -> None:
    peer.status, peer.body = status, json.dumps(body).encode()

    with pytest.raises(Refused) as refused:
        client.get("/api/x")

    assert refused.value.message == message
    assert refused.value.exit_code == code
    assert (refused.value.status, refused.value.body) == (status, body)


def test_something_that_is_not_kombuse_is_said(client: Client, peer: Peer) -> None:
    peer.body = b"<html>"

    with pytest.raises(NotRunning, match="is not Kombuse"):
        client.get("/api/x")


def test_port_that_nobody_listens_at_is_said(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), Handler) as closed:
        port = closed.server_port
    (tmp_path / "server-port").write_text(str(port), encoding="ascii")

    with Client(tmp_path) as client, pytest.raises(NotRunning, match=f"at port {port}") as missing:
        client.get("/health")

    assert missing.value.exit_code == ExitCode.NOT_RUNNING


def test_named_home_without_a_server_never_means_another_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotRunning, match=str(tmp_path)):
        find_port(tmp_path)
    monkeypatch.setenv("KOMBUSE_HOME", str(tmp_path))
    with pytest.raises(NotRunning, match=str(tmp_path)):
        find_port()


def test_default_home_without_a_file_means_the_default_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KOMBUSE_HOME", raising=False)

    assert find_port() == 3331


def test_port_of_the_home_in_the_environment(
    home: Path, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOMBUSE_HOME", str(home))

    assert find_port() == peer.server_port
