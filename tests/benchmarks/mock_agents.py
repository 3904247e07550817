"""Agents and sessions of the mock backend, and how a client at /ws follows them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from api import Api
from load import LoadError

Step = Mapping[str, Any]
_SECONDS = 30.0


def create_project(api: Api, name: str) -> str:
    project_id: str = api.post("/api/projects", {"name": name, "owner_id": "user-1"})["id"]
    return project_id


def create_agent(api: Api, name: str, steps: Sequence[Step], *, retry: bool = False) -> str:
    """An agent that does the same in every run; whether one that failed is tried again."""
    body = {
        "name": name,
        "description": f"{name} of the benchmark",
        "system_prompt": "You are {{ agent.name }}, and measured.",
        "config": {
            "backend_type": "mock",
            "retry_on_failure": retry,
            "mock": {"steps": steps},
        },
    }
    agent_id: str = api.post("/api/agents", body)["id"]
    return agent_id


def create_session(api: Api, project_id: str) -> str:
    body = {"backend_type": "mock", "project_id": project_id}
    session_id: str = api.post("/api/sessions", body)["kombuse_session_id"]
    return session_id


def send_script(api: Api, session_id: str, steps: Sequence[Step]) -> None:
    """A turn of the session that does these steps."""
    body = {"message": f"mock: {json.dumps(steps)}"}
    api.post(f"/api/sessions/{session_id}/messages", body, expected=202)


@contextmanager
def listen(port: int, topics: Sequence[str]) -> Iterator["Listener"]:
    """Raises LoadError when the server closes the connection before the block ends."""
    url = f"ws://127.0.0.1:{port}/ws"
    try:
        with connect(url, compression=None, proxy=None, close_timeout=1) as connection:
            listener = Listener(connection)
            listener.send({"type": "subscribe", "topics": topics})
            listener.wait("subscribed")
            yield listener
    except (OSError, ConnectionClosed) as error:
        raise LoadError(f"/ws: {error!r}") from error


class Listener:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._passed: list[dict[str, Any]] = []

    def send(self, message: Mapping[str, Any]) -> None:
        self._connection.send(json.dumps(message))

    def receive(self) -> dict[str, Any]:
        """The next message; LoadError for one that tells of an error."""
        try:
            message: dict[str, Any] = json.loads(self._connection.recv(_SECONDS))
        except TimeoutError:
            raise LoadError(f"/ws: no message within {_SECONDS:.0f} s") from None
        if message["type"] == "error":
            raise LoadError(f"/ws: {message['message']}")
        return message

    def wait(self, kind: str) -> dict[str, Any]:
        """The next message of a type; those of other types wait for their turn."""
        for index, message in enumerate(self._passed):
            if message["type"] == kind:
                return self._passed.pop(index)
        while (message := self.receive())["type"] != kind:
            self._passed.append(message)
        return message
