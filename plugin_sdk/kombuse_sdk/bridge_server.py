"""The bridge's way to the running server: connections that are kept, wherever it listens now."""

import re
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from time import monotonic, sleep

from kombuse_sdk.home import PORT_FILE, find_token

__all__ = ["Call", "Cancelled", "NoAnswer", "RunningServer"]

_CONNECT_SECONDS = 2.0
_ANSWER_SECONDS = 600.0
_LOOK_AGAIN_SECONDS = 0.05
_TOKEN = re.compile(r"[\x21-\x7e]+")


class NoAnswer(Exception):
    """Why a request gets no answer from the server; the text is for the client."""


class Cancelled(Exception):
    """The client does not want the answer any more."""


class Call:
    """A request that waits for its answer, and the connection it waits on."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._connection: HTTPConnection | None = None
        self._lock = threading.Lock()

    def waits_on(self, connection: HTTPConnection | None) -> None:
        with self._lock:
            self._connection = connection
            if self.is_cancelled and connection is not None:
                raise Cancelled

    def cancel(self) -> None:
        with self._lock:
            self.is_cancelled = True
            if self._connection is not None and self._connection.sock is not None:
                with suppress(OSError):
                    self._connection.sock.shutdown(socket.SHUT_RDWR)


class RunningServer:
    """The running server of a home: where it listens, and connections to it that are kept open."""

    def __init__(self, home: Path, say: Callable[[str], None], patience: float) -> None:
        self._home = home
        self._say = say
        self._patience = patience
        self._idle: list[HTTPConnection] = []
        self._lock = threading.Lock()
        self._told: object = None

    def post(
        self,
        body: bytes,
        headers: dict[str, str],
        call: Call,
        relay: Callable[[HTTPResponse], None],
        *,
        may_repeat: bool,
    ) -> None:
        """Raises NoAnswer or Cancelled."""
        deadline = monotonic() + self._patience
        while True:
            connection = self._kept() or self._connected(deadline)
            try:
                call.waits_on(connection)
                answer = self._sent(connection, body, headers)
                relay(answer)
                call.waits_on(None)
            except (OSError, HTTPException) as error:
                connection.close()
                if call.is_cancelled:
                    raise Cancelled from error
                if isinstance(error, TimeoutError):
                    raise NoAnswer("the server does not answer in time") from error
                if not may_repeat:
                    raise NoAnswer(
                        "the connection to the server broke: whether the call was carried out is"
                        " not known"
                    ) from error
                if monotonic() > deadline:
                    raise NoAnswer("the server breaks off the connection") from error
            except BaseException:
                connection.close()
                raise
            else:
                self._keep(connection, answer)
                return

    def _sent(
        self, connection: HTTPConnection, body: bytes, headers: dict[str, str]
    ) -> HTTPResponse:
        token = self._token()
        if token:
            headers = headers | {"Authorization": f"Bearer {token}"}
        types = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        connection.request("POST", "/mcp", body, types | headers)
        return connection.getresponse()

    def _kept(self) -> HTTPConnection | None:
        """The last one used; one that the server has closed meanwhile can be read."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()

    def _keep(self, connection: HTTPConnection, answer: HTTPResponse) -> None:
        if connection.sock is None or not answer.isclosed():
            connection.close()
            return
        with self._lock:
            self._idle.append(connection)

    def _connected(self, deadline: float) -> HTTPConnection:
        """A new connection; the port is read again for each, for the server may have moved."""
        while True:
            port = self._port()
            if port is not None:
                connection = HTTPConnection("127.0.0.1", port, timeout=_CONNECT_SECONDS)
                try:
                    connection.connect()
                except OSError:
                    connection.close()
                else:
                    connection.sock.settimeout(_ANSWER_SECONDS)
                    self._tell(port, f"connected to port {port}")
                    return connection
            self._tell(None, f"waiting for the server of {self._home}")
            if monotonic() > deadline:
                raise NoAnswer(
                    f"no Kombuse server runs on {self._home}: start it with `kombuse serve`"
                )
            sleep(_LOOK_AGAIN_SECONDS)

    def _port(self) -> int | None:
        try:
            port = int((self._home / PORT_FILE).read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None
        return port if 0 < port < 65536 else None

    def _token(self) -> str | None:
        """Read for each request: it may be there only since the server was started again."""
        token = find_token(self._home)
        return token if token and _TOKEN.fullmatch(token) else None

    def _tell(self, port: int | None, text: str) -> None:
        """Once for each change."""
        with self._lock:
            is_new, self._told = self._told != (port,), (port,)
        if is_new:
            self._say(text)
