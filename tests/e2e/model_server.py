"""Scripted model endpoints on loopback: what a real command-line agent talks to in these tests.

A script is a list of answers, one per request of the agent in the order in which they come; the
last one repeats. `say(text)`, `use(tool, input)` and `wait()` make answers; a function of the
request makes one of what the agent was told.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

__all__ = ["Answer", "Line", "ModelServer", "Speak", "Stream", "running", "say", "use", "wait"]

Stream = Iterator[tuple[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Text, or the use of a tool; `waits` until the end of the test."""

    text: str | None = None
    tool: str | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    waits: bool = False


Line = Answer | Callable[[dict[str, Any]], Answer]


def say(text: str) -> Answer:
    return Answer(text=text)


def use(tool: str, **given: Any) -> Answer:
    return Answer(tool=tool, input=given)


def wait() -> Answer:
    return Answer(waits=True)


class Speak(Protocol):
    """The server-sent events of an answer in the dialect of one API."""

    path: str

    def __call__(self, answer: Answer, number: int) -> Stream: ...


class ModelServer:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[dict[str, Any]] = []
        self.ending = threading.Event()
        self.waiting = threading.Event()
        self._script: list[Line] = [say("done")]
        self._count = 0
        self._lock = threading.Lock()

    def play(self, *script: Line) -> None:
        """From the next request on, as if there had been none before."""
        with self._lock:
            self.requests.clear()
            self.waiting.clear()
            self._script = list(script)

    def next(self, request: dict[str, Any]) -> tuple[Answer, int]:
        with self._lock:
            self.requests.append(request)
            self._count += 1
            line = self._script[0] if len(self._script) == 1 else self._script.pop(0)
            answer = line if isinstance(line, Answer) else line(request)
            return answer, self._count

    def said(self) -> str:
        """All that the agent sent, as text to search in."""
        return json.dumps(self.requests)


@contextmanager
def running(speak: Speak) -> Iterator[ModelServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            request = json.loads(body) if body.startswith(b"{") else {}
            if not self.path.startswith(speak.path) or not request.get("stream"):
                self._send(b"{}")
                return
            answer, number = model.next(request)
            if answer.waits:
                model.waiting.set()
                model.ending.wait(60)
                return
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for name, data in speak(answer, number):
                event = json.dumps({"type": name, **data})
                self.wfile.write(f"event: {name}\ndata: {event}\n\n".encode())

        def do_GET(self) -> None:
            self._send(b"{}")

        do_HEAD = do_GET  # noqa: N815

        def _send(self, data: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    model = ModelServer(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield model
    finally:
        model.ending.set()
        server.shutdown()
        thread.join()
        server.server_close()
