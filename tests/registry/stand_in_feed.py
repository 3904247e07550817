"""Feeds for tests: one of bytes, and a server that answers as told and notes what it is asked."""

import hashlib
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from kombuse_registry.archive import write_archive
from kombuse_sdk.feeds import Download, PackageVersion, Progress

__all__ = ["Asked", "BytesFeed", "Reply", "StandIn", "package_bytes", "serving", "sha256"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that arrived."""

    method: str
    path: str
    headers: Message
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; `json` wins over `body`. `length` is what Content-Length claims.

    `pause` is waited for between the first and the second half of the body.
    """

    status: int = 200
    json: Any = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None
    pause: threading.Event | None = None


Answer = Reply | Sequence[Reply] | Callable[[Asked], Reply]


class BytesFeed:
    """A feed that hands out bytes, under whatever name, and counts how often."""

    name = "Bytes"

    def __init__(self, data: bytes, feed_id: str = "http:https://h.example") -> None:
        self.id = feed_id
        self.data = data
        self.downloads = 0

    def packages(self) -> list[PackageVersion]:
        return []

    def versions(self, name: str) -> list[PackageVersion]:
        return []

    def download(
        self, version: PackageVersion, folder: Path, progress: Progress | None = None
    ) -> Download:
        self.downloads += 1
        path = folder / "package.tar.gz"
        path.write_bytes(self.data)
        return Download(path=path, checksum=None)


class StandIn:
    """`answers` by path with query; a sequence is used up from its front, its last reply stays."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answers: dict[str, Answer] = {}
        self.asked: list[Asked] = []
        self._lock = threading.Lock()

    def reply(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            answer = self.answers.get(asked.path, Reply(status=404, json={"error": "not here"}))
            if isinstance(answer, Sequence):
                self.answers[asked.path] = answer[1:] or answer
                answer = answer[0]
        return answer if isinstance(answer, Reply) else answer(asked)

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


@contextmanager
def serving() -> Iterator[StandIn]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            asked = Asked(method=self.command, path=self.path, headers=self.headers, body=body)
            self.send(stand_in.reply(asked))

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

        def send(self, reply: Reply) -> None:
            body = reply.body if reply.json is None else json.dumps(reply.json).encode()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(reply.length or len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            try:
                if reply.pause:
                    self.wfile.write(body[: len(body) // 2])
                    self.wfile.flush()
                    reply.pause.wait(30)
                    body = body[len(body) // 2 :]
                self.wfile.write(body)
            except OSError:
                return

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stand_in = StandIn(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def package_bytes(name: str = "hello", version: str = "1.0.0", note: str = "") -> bytes:
    """A whole package; another `note` makes other bytes of the same name and version."""
    plugin = {
        "name": name,
        "version": version,
        "kombuse": {"plugin_system_version": "kombuse-plugin-v1"},
    }
    manifest = {"name": name, "version": version, "type": "plugin", "description": note}
    files = {
        ".kombuse-plugin/plugin.json": json.dumps(plugin).encode(),
        "manifest.json": json.dumps(manifest).encode(),
        "files/note.md": note.encode(),
    }
    with tempfile.TemporaryDirectory() as folder:
        return write_archive(files, Path(folder) / "package.tar.gz").path.read_bytes()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
