"""The running server, for the command line and other programs on this machine.

Nothing but the standard library is imported: a command that asks the server starts at once.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from kombuse_sdk.exit_codes import CommandError, ExitCode
from kombuse_sdk.home import DEFAULT_PORT, PORT_FILE, default_home, find_token

__all__ = ["Answer", "Client", "NotRunning", "Refused", "find_port"]

_PAGE = 100
_TIMEOUT_SECONDS = 30


class NotRunning(CommandError):
    """No server answers."""

    exit_code = ExitCode.NOT_RUNNING


class Refused(CommandError):
    """The server said no: `status` and `body` are its answer, `message` is its text."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(_text(status, body), ExitCode.STORAGE if status == 507 else None)
        self.status = status
        self.body = body


def find_port(home: Path | None = None) -> int:
    """Where the server of a home listens; without a home, and a file in it, the default port.

    A home that was named and has no file has no server: another one is not asked in its place.
    """
    folder = default_home() if home is None else home.expanduser()
    try:
        return int((folder / PORT_FILE).read_text(encoding="ascii"))
    except (OSError, ValueError):
        if folder != Path("~/.kombuse").expanduser():
            raise NotRunning(
                f"no server runs on {folder}: start it with `kombuse serve --home {folder}`"
            ) from None
        return DEFAULT_PORT


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the server as it came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Client:
    """One connection, kept open. Paths are templates: `get("/api/projects/{}", slug)`."""

    def __init__(self, home: Path | None = None, *, seconds: float = _TIMEOUT_SECONDS) -> None:
        """`seconds` is how long an answer may take."""
        self.home = default_home() if home is None else home.expanduser()
        self.port = find_port(home)
        self.token = find_token(self.home)
        self._connection = HTTPConnection("127.0.0.1", self.port, timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def get(self, path: str, /, *values: object, **query: Any) -> Any:
        """Query parameters that are None are left out."""
        address = _fill(path, values)
        given = {name: _plain(value) for name, value in query.items() if value is not None}
        return self._call("GET", f"{address}?{urlencode(given)}" if given else address)

    def pages(self, path: str, /, *values: object, **query: Any) -> Iterator[Any]:
        """Every item of a list, page by page."""
        offset = 0
        while True:
            page = self.get(path, *values, limit=_PAGE, offset=offset, **query)
            yield from page
            if len(page) < _PAGE:
                return
            offset += _PAGE

    def post(self, path: str, *values: object, body: Any = None) -> Any:
        return self._call("POST", _fill(path, values), body)

    def patch(self, path: str, *values: object, body: Any = None) -> Any:
        return self._call("PATCH", _fill(path, values), body)

    def put(self, path: str, *values: object, body: Any = None) -> Any:
        return self._call("PUT", _fill(path, values), body)

    def delete(self, path: str, *values: object, body: Any = None) -> Any:
        return self._call("DELETE", _fill(path, values), body)

    def send(
        self,
        method: str,
        address: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """What the server answers, whatever its status; `body` is JSON. Raises NotRunning."""
        sent = {} if body is None else {"Content-Type": "application/json"}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        try:
            self._connection.request(method, address, body, sent | dict(headers or {}))
            answer = self._connection.getresponse()
            return Answer(answer.status, answer.getheaders(), answer.read())
        except TimeoutError as error:
            raise NotRunning(f"the server at port {self.port} does not answer in time") from error
        except (OSError, HTTPException) as error:
            raise NotRunning(
                f"no server answers at port {self.port}: start it with `kombuse serve`"
            ) from error

    def _call(self, method: str, address: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        answer = self.send(method, address, data)
        try:
            value = json.loads(answer.body) if answer.body else None
        except ValueError as error:
            raise NotRunning(f"what answers at port {self.port} is not Kombuse") from error
        if answer.status >= 400:
            raise Refused(answer.status, value)
        return value


def _fill(path: str, values: tuple[object, ...]) -> str:
    return path.format(*(quote(str(value), safe="") for value in values))


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(status: int, body: Any) -> str:
    """The error text of an answer: a sentence, or one line per field that does not fit."""
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, list):
        return "\n".join(
            f"{'.'.join(map(str, item.get('path', ()))) or 'body'}: {item.get('message')}"
            for item in error
        )
    return str(error or f"the server answered {status}")
