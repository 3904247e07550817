"""Connections that end at a deadline, made only to addresses that were checked."""

import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpcore2

from kombuse_registry.addresses import Reach

__all__ = ["Deadline", "Network"]


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment of the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        return self.at - time.monotonic()

    def left(self, most: float | None = None) -> float:
        """Seconds that one operation may take. Raises httpcore2.ReadTimeout when none are left."""
        remaining = self.remaining()
        if remaining <= 0:
            raise httpcore2.ReadTimeout
        return remaining if most is None else min(most, remaining)


class Network(httpcore2.NetworkBackend):
    """Looks a name up once and connects to what it found: no second answer can differ.

    However slowly the other side sends, no operation goes on after the deadline.
    """

    def __init__(self, reach: Reach, deadline: Deadline, connect_seconds: float) -> None:
        self._reach = reach
        self._deadline = deadline
        self._connect_seconds = connect_seconds
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        addresses = self._reach.addresses(host, port)
        for is_last, address in ((address is addresses[-1], address) for address in addresses):
            try:
                seconds = self._deadline.left(self._connect_seconds)
                stream = self._sockets.connect_tcp(address, port, seconds)
                return _Stream(stream, self._deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if is_last:
                    raise
        raise httpcore2.ConnectError(f"{host} has no address")


class _Stream(httpcore2.NetworkStream):
    """A stream whose operations share one deadline."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        seconds = self._deadline.left(timeout)
        return _Stream(
            self._stream.start_tls(ssl_context, server_hostname, seconds), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
