"""Closed-loop HTTP/1.1 load over raw keep-alive sockets to 127.0.0.1."""

import json
import selectors
import socket
from array import array
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter_ns

_STALL_SECONDS = 30.0
_RECEIVE_BYTES = 128 * 1024
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"


class LoadError(Exception):
    """The server answered something else than expected, or not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The answers of one run: latencies in ascending order, and the time over all of them."""

    latencies_ns: list[int]
    elapsed_ns: int
    body_bytes: int

    @property
    def count(self) -> int:
        return len(self.latencies_ns)

    @property
    def per_second(self) -> float:
        return self.count * 1e9 / self.elapsed_ns

    @property
    def mean_body_kb(self) -> float:
        return self.body_bytes / self.count / 1000

    def percentile_ms(self, percent: float) -> float:
        """The nearest-rank percentile in milliseconds."""
        rank = max(0, -int(-percent * self.count // 100) - 1)
        return self.latencies_ns[rank] / 1e6


def encode_request(port: int, method: str, path: str, body: object = None) -> bytes:
    """The bytes of a request; a body other than None is sent as JSON."""
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
    if body is None:
        return f"{head}\r\n".encode()
    content = json.dumps(body).encode()
    head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def run(
    port: int,
    requests: Iterable[bytes],
    *,
    connections: int = 1,
    expected: int = 200,
    seconds: float,
) -> Result:
    """Send the requests, one at a time on each connection, until they or the seconds run out.

    Raises LoadError at the first answer whose status is not the expected one, when an answer has
    no Content-Length, when a connection fails or ends and when nothing arrives for 30 seconds.
    """
    try:
        with ExitStack() as stack:
            selector = stack.enter_context(selectors.DefaultSelector())
            lanes = [_Connection(port, expected) for _ in range(connections)]
            for lane in lanes:
                stack.enter_context(lane.sock)
                selector.register(lane.sock, selectors.EVENT_READ, lane)
            return _drive(selector, lanes, requests, seconds)
    except OSError as error:
        raise LoadError(f"a connection to port {port} failed: {error}") from error


def _drive(
    selector: selectors.BaseSelector,
    connections: list["_Connection"],
    requests: Iterable[bytes],
    seconds: float,
) -> Result:
    source = iter(requests)
    latencies = array("q")
    waiting = 0
    now = started = perf_counter_ns()
    deadline = started + int(seconds * 1e9)
    for connection, request in zip(connections, source, strict=False):
        connection.send(request)
        waiting += 1
    while waiting:
        events = selector.select(_STALL_SECONDS)
        if not events:
            raise LoadError(f"no answer within {_STALL_SECONDS:.0f} s")
        for key, _ in events:
            connection = key.data
            if not connection.receive():
                continue
            now = perf_counter_ns()
            latencies.append(now - connection.sent_at)
            following = next(source, None) if now < deadline else None
            if following is None:
                waiting -= 1
            else:
                connection.send(following)
    if not latencies:
        raise LoadError("there was nothing to send")
    return Result(
        latencies_ns=sorted(latencies),
        elapsed_ns=now - started,
        body_bytes=sum(connection.body_bytes for connection in connections),
    )


class _Connection:
    """One keep-alive connection with at most one request under way."""

    __slots__ = (
        "_buffer",
        "_expected",
        "_head",
        "_missing",
        "_request",
        "_view",
        "body_bytes",
        "sent_at",
        "sock",
    )

    def __init__(self, port: int, expected: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=_STALL_SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self.sent_at = 0
        self.body_bytes = 0
        self._buffer = bytearray(_RECEIVE_BYTES)
        self._view = memoryview(self._buffer)
        self._expected = b"HTTP/1.1 %d " % expected
        self._request = b""
        self._head = b""
        self._missing: int | None = None

    def send(self, request: bytes) -> None:
        """Send on an idle connection, whose empty socket buffer takes a small request whole."""
        self._request = request
        self._head = b""
        self._missing = None
        self.sent_at = perf_counter_ns()
        if self.sock.send(request) != len(request):
            raise LoadError(f"{self._summary()}: the request does not fit the socket buffer")

    def receive(self) -> bool:
        """Take what has arrived; true when the answer is complete."""
        count = self.sock.recv_into(self._buffer)
        if not count:
            raise LoadError(f"{self._summary()}: the server closed the connection")
        if self._missing is None:
            self._missing = self._read_head(count)
            if self._missing is None:
                return False
        else:
            self._missing -= count
        if self._missing < 0:
            raise LoadError(f"{self._summary()}: more bytes arrived than Content-Length says")
        return self._missing == 0

    def _read_head(self, count: int) -> int | None:
        """How many bytes of the body have yet to arrive, or None while the head is incomplete."""
        self._head += self._view[:count]
        end = self._head.find(_END_OF_HEAD)
        if end < 0:
            return None
        length = self._content_length(self._head[:end].lower())
        missing = end + len(_END_OF_HEAD) + length - len(self._head)
        if not self._head.startswith(self._expected):
            raise self._refused(end, missing)
        self.body_bytes += length
        return missing

    def _content_length(self, head: bytes) -> int:
        start = head.find(_LENGTH)
        if start < 0:
            raise LoadError(f"{self._summary()}: the answer has no Content-Length")
        start += len(_LENGTH)
        end = head.find(b"\r\n", start)
        return int(head[start:] if end < 0 else head[start:end])

    def _refused(self, end: int, missing: int) -> LoadError:
        self.sock.settimeout(_STALL_SECONDS)
        answer = self._head
        while missing > 0 and (more := self.sock.recv(missing)):
            answer += more
            missing -= len(more)
        status = answer.split(b"\r\n", 1)[0].decode("latin-1")
        wanted = self._expected.split()[1].decode()
        body = answer[end + len(_END_OF_HEAD) :].decode(errors="replace")
        return LoadError(f"{self._summary()}: expected {wanted}, got {status}: {body}")

    def _summary(self) -> str:
        return self._request.split(b" HTTP/1.1", 1)[0].decode("latin-1")
