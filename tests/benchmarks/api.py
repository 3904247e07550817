"""Single JSON calls to the server, for everything outside the timed loops."""

import json
from http.client import HTTPConnection, HTTPException
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from load import LoadError

_PAGE = 100
_IDLE_SECONDS = 2.0


class Api:
    """One keep-alive connection; each call checks the status and parses the answer.

    After a while without calls it is made anew: servers close those that are idle for long.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)
        self._used = perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def get(self, path: str) -> Any:
        return self._call("GET", path, None, 200)

    def get_all(self, path: str) -> list[Any]:
        """A list whole, page by page."""
        rows: list[Any] = []
        mark = "&" if "?" in path else "?"
        while page := self.get(f"{path}{mark}limit={_PAGE}&offset={len(rows)}"):
            rows += page
        return rows

    def post(self, path: str, body: object, expected: int = 201) -> Any:
        return self._call("POST", path, json.dumps(body).encode(), expected)

    def _call(self, method: str, path: str, body: bytes | None, expected: int) -> Any:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if perf_counter() - self._used > _IDLE_SECONDS:
            self._connection.close()
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            raise LoadError(f"{method} {path}: the connection failed: {error}") from error
        self._used = perf_counter()
        if answer.status != expected:
            raise LoadError(f"{method} {path}: expected {expected}, got {answer.status}: {text}")
        return json.loads(text)
