"""T18: no upload takes much time or memory, however it is made. On a real server process."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.testing import Factory, ticket_path

if TYPE_CHECKING:
    from kombuse_sdk.processes import ServerProcess

MEMORY = 64 * 1024 * 1024
START = b'--edge\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n'
FILE = START % (b"f", b'; filename="a.png"\r\nContent-Type: image/png') + b"\x89PNG\r\n\x1a\n"
PARTS = START % (b"x", b"") + b"\r\n"
NEARLY = b"\r\n--edg" * 10_000


@pytest.fixture(scope="module")
def path(server: "ServerProcess") -> str:
    make = Factory(server.http)  # type: ignore[arg-type]
    return f"{ticket_path(make.ticket(make.project()))}/attachments"


def resident(pid: int) -> int:
    """Bytes of memory; 0 where the system does not tell."""
    status = Path(f"/proc/{pid}/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def connect(server: "ServerProcess", path: str, length: int) -> socket.socket:
    """A connection on which the head of an upload of `length` bytes was sent."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n"
        "Content-Type: multipart/form-data; boundary=edge\r\n\r\n"
    )
    connection.sendall(head.encode())
    return connection


def files(server: "ServerProcess") -> list[Path]:
    return [file for file in (server.home / "uploads").rglob("*") if file.is_file()]


def until(server: "ServerProcess", condition: Any) -> None:
    """Ask the server for its health until the condition holds."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        server.http.get("/health")


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (START % (b"uploaded_by_id", b""), b"x" * 65536),
        (START % (b"other", b""), b"x" * 65536),
        (b"--edge\r\n", b"x-a: " + b"y" * 65536),
        (b"--edge\r\n", b"x-a: y\r\n" * 8192),
        (b"", PARTS * 1000),
        (b"\r\n", b"\r\n" * 32768),
        (FILE, b"x" * 65536),
        (FILE, NEARLY),
        (FILE, b"\r" * 65536),
    ],
)
def test_what_is_sent_stays_bounded_and_others_are_served(
    server: "ServerProcess", path: str, start: bytes, piece: bytes
) -> None:
    server.http.get("/health")
    before = resident(server.pid)
    slowest = 0.0
    length = 10 * 1024 * 1024
    with connect(server, path, length) as upload:
        upload.sendall(start)
        for chunk in _chunks(piece, length - len(start)):
            upload.sendall(chunk)
            asked = time.monotonic()
            assert server.http.get("/health").status_code == 200
            slowest = max(slowest, time.monotonic() - asked)
        answer = upload.recv(65536)

    assert answer.startswith(b"HTTP/1.1 400"), answer
    assert resident(server.pid) - before < MEMORY
    assert slowest < 0.5
    until(server, lambda: not files(server))


def _chunks(piece: bytes, length: int) -> Iterator[bytes]:
    while length > 0:
        yield piece[:length]
        length -= len(piece)


def test_an_upload_that_breaks_off_leaves_no_file(server: "ServerProcess", path: str) -> None:
    with connect(server, path, 1_000_000) as upload:
        upload.sendall(FILE + bytes(100_000))
        until(server, lambda: len(files(server)) == 1)

    until(server, lambda: not files(server))


def test_many_stalled_uploads_do_not_stop_others(server: "ServerProcess", path: str) -> None:
    stalled = [connect(server, path, 1_000_000) for _ in range(50)]
    for upload in stalled:
        upload.sendall(FILE)

    answer = server.http.post(
        path,
        files={"file": ("a.svg", b"<svg/>", "image/svg+xml")},
        data={"uploaded_by_id": LOCAL_USER},
    )

    for upload in stalled:
        upload.close()
    assert answer.status_code == 201
    until(server, lambda: len(files(server)) == 1)
    assert server.http.delete(f"/api/attachments/{answer.json()['id']}").status_code == 204
