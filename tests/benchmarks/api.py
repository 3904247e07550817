"""Single JSON calls to the server, for everything outside the timed loops."""

import json
from http.client import HTTPConnection, HTTPException
from types import TracebackType
from typing import Any, Self

from load import LoadError


class Api:
    """One keep-alive connection; each call checks the status and parses the answer."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

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

    def post(self, path: str, body: object) -> Any:
        return self._call("POST", path, json.dumps(body).encode(), 201)

    def _call(self, method: str, path: str, body: bytes | None, expected: int) -> Any:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            raise LoadError(f"{method} {path}: the connection failed: {error}") from error
        if answer.status != expected:
            raise LoadError(f"{method} {path}: expected {expected}, got {answer.status}: {text}")
        return json.loads(text)
