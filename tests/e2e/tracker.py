"""A server with agents, seen as a person sees it: over REST and one WebSocket."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from tests.sockets import Socket

from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.processes import ServerProcess
from kombuse_sdk.testing import Factory, ticket_path

__all__ = ["ON_OWN_TICKET", "Session", "Tracker", "configure"]

_SECONDS = 15.0
_PAUSE_SECONDS = 0.5
# Enough to comment on the ticket that the agent works on.
ON_OWN_TICKET = [
    {"type": "resource", "resource": "comment", "actions": ["create"], "scope": "invocation"}
]
Message = Mapping[str, Any]


def configure(home: Path, **values: Any) -> None:
    """The configuration of a server that is still to be started."""
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "config.json").write_text(json.dumps(values), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its record shows it."""

    values: Message
    events: list[Message]

    def of(self, event_type: str) -> list[Message]:
        """The payloads of its events of a type."""
        return [e["payload"] for e in self.events if e["event_type"] == event_type]

    @property
    def kinds(self) -> list[str]:
        """What happened in which order, without the notes about how the program was started."""
        return [e["event_type"] for e in self.events if e["event_type"] != "raw"]

    @property
    def ending(self) -> tuple[str, str | None]:
        return self.values["status"], self.values["metadata"].get("terminal_reason")


@dataclass
class Tracker:
    server: ServerProcess
    socket: Socket
    heard: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.make = Factory(self.server.http)  # type: ignore[arg-type]
        self.socket.subscribe("*")

    def get(self, path: str, **query: Any) -> Any:
        answer = self.server.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def agent(self, name: str = "Helper", **values: Any) -> Any:
        body = {"name": name, "description": f"about {name}", "system_prompt": "You help."}
        answer = self.server.http.post("/api/agents", json=body | values)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def trigger(self, agent: Any, event_type: str, **values: Any) -> None:
        body = {"event_type": event_type} | values
        answer = self.server.http.post(f"/api/agents/{agent['id']}/triggers", json=body)
        assert answer.status_code == 201, answer.text

    def set(self, key: str, value: str) -> None:
        body = {"profile_id": LOCAL_USER, "setting_key": key, "setting_value": value}
        assert self.server.http.put("/api/profile-settings", json=body).status_code == 200

    def put_label(self, ticket: Any, label: Any) -> None:
        path = f"{ticket_path(ticket)}/labels/{label['id']}"
        answer = self.server.http.post(path, json={"added_by_id": LOCAL_USER})
        assert answer.status_code == 201, answer.text

    def wait(self, kind: str, count: int = 1, **fields: Any) -> Message:
        """The message of this type (the `count`-th such one) with these fields, once it is there.

        For messages that wrap an event of the log, the fields are those of the event.
        """

        found: list[Message] = []
        seen = 0

        def is_there() -> bool:
            nonlocal seen
            found.extend(m for m in self.heard[seen:] if _fits(m, kind, fields))
            seen = len(self.heard)
            return len(found) >= count

        self.until(is_there, f"{kind} {fields}")
        return found[count - 1]

    def until(self, condition: Callable[[], bool], wanted: str = "") -> None:
        """Listen until something is so."""
        deadline = monotonic() + _SECONDS
        while not condition():
            if monotonic() > deadline:
                heard = Counter(message["type"] for message in self.heard)
                raise AssertionError(f"in vain: {wanted}; heard {heard}\n{self.server.output}")
            with suppress(TimeoutError):
                text = self.socket.connection.recv(timeout=_PAUSE_SECONDS)
                self.heard.append(json.loads(text))

    def session(self, session_id: str) -> Session:
        path = f"/api/sessions/{session_id}"
        events: list[Message] = []
        while page := self.get(f"{path}/events", limit=1000, since_seq=len(events))["events"]:
            events += page
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        return Session(self.get(path), events)

    def comments(self, ticket: Any) -> list[Any]:
        found: list[Any] = self.get(f"{ticket_path(ticket)}/comments", limit=100)
        return found

    def timeline(self, ticket: Any) -> list[str]:
        """The types of what happened on a ticket, comments by their event."""
        items = self.get(f"{ticket_path(ticket)}/timeline")["items"]
        return [item["data"]["event_type"] for item in items if item["type"] == "event"]

    def invocations(self, **query: Any) -> list[Any]:
        """The oldest first."""
        found: list[Any] = []
        while page := self.get("/api/invocations", limit=100, offset=len(found), **query):
            found += page
        return found[::-1]


def _fits(message: Message, kind: str, fields: Message) -> bool:
    if message["type"] != kind:
        return False
    return fields.items() <= (message["event"] if kind == "event" else message).items()
