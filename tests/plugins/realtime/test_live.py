"""What plugins can tell connected clients, and the messages that they can serve."""

import asyncio
import math
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from starlette.testclient import TestClient, WebSocketTestSession
from tests.fakes import fake_plugin

from kombuse_sdk.contracts import Live
from kombuse_sdk.errors import NotFound
from kombuse_sdk.events import Event
from kombuse_sdk.sockets import Client, SocketMessage
from kombuse_sdk.types import Kernel

ADDRESS = "ws://127.0.0.1:3331/ws"


class Shout(BaseModel):
    type: str
    text: str
    loud: bool = False


class Nothing(BaseModel):
    type: str


class Parrot:
    """A plugin that serves messages; it remembers its last client."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.plugin = fake_plugin("parrot", socket_messages=lambda: self.messages())

    def messages(self) -> list[SocketMessage]:
        return [
            SocketMessage(name="shout", model=Shout, handle=self.shout),
            SocketMessage(name="refuse", model=Nothing, handle=self.refuse),
            SocketMessage(name="break", model=Nothing, handle=self.fail),
            SocketMessage(name="whisper", model=Shout, handle=self.shout, max_size=60),
        ]

    async def shout(self, client: Client, given: Shout) -> None:
        self.client = client
        await asyncio.sleep(0)
        client.send({"type": "echo", "text": given.text.upper() if given.loud else given.text})

    async def refuse(self, client: Client, given: Nothing) -> None:
        raise NotFound("Session not found")

    async def fail(self, client: Client, given: Nothing) -> None:
        raise RuntimeError("secret")


@pytest.fixture
def parrot() -> Parrot:
    return Parrot()


@pytest.fixture
def plugins_under_test(parrot: Parrot) -> list[object]:
    return [parrot.plugin]


@pytest.fixture
def socket(client: TestClient) -> Iterator[WebSocketTestSession]:
    with client.websocket_connect(ADDRESS) as opened:
        yield opened


@pytest.fixture
def live(kernel: Kernel) -> Live:
    return kernel.services.get(Live)


def ask(socket: WebSocketTestSession, message: Any) -> Any:
    socket.send_json(message)
    return socket.receive_json()


def subscribe(socket: WebSocketTestSession, *topics: str) -> None:
    assert ask(socket, {"type": "subscribe", "topics": topics})["type"] == "subscribed"


def rest(socket: WebSocketTestSession) -> list[Any]:
    """What was sent so far. A message of a plugin, unlike a ping, waits for its turn."""
    socket.send_json({"type": "shout", "text": "the end"})
    found = []
    while (message := socket.receive_json()) != {"type": "echo", "text": "the end"}:
        found.append(message)
    return found


def test_a_message_reaches_each_subscriber_once(live: Live, socket: WebSocketTestSession) -> None:
    subscribe(socket, "session:a", "*")
    live.publish(["session:a", "*"], {"type": "agent.complete", "n": 1})
    live.publish(["session:b"], {"type": "agent.complete", "n": 2})
    live.publish(["session:b", "*"], {"type": "agent.complete", "n": 3})

    assert [message["n"] for message in rest(socket)] == [1, 3]


@pytest.mark.parametrize("topics", [[], ["session:a"], ["session:a", "*"]])
def test_the_sender_gets_a_message_once_whatever_it_subscribes(
    live: Live, parrot: Parrot, socket: WebSocketTestSession, topics: list[str]
) -> None:
    subscribe(socket, *topics)
    rest(socket)
    assert parrot.client is not None
    live.publish(["session:a", "*"], {"type": "agent.started"}, sender=parrot.client.id)

    assert rest(socket) == [{"type": "agent.started"}]


def test_a_sender_that_is_gone_is_no_error(live: Live, socket: WebSocketTestSession) -> None:
    live.publish([], {"type": "error", "message": "x"}, sender="gone")
    live.publish(["session:a"], {"type": "agent.event"}, sender="gone")

    assert rest(socket) == []


def test_publishing_with_nobody_connected_is_no_error(live: Live) -> None:
    live.publish(["*"], {"type": "agent.started"})


def test_publishing_after_the_last_client_has_left_is_no_error(
    live: Live, client: TestClient
) -> None:
    with client.websocket_connect(ADDRESS) as socket:
        subscribe(socket, "*")
    live.publish(["*"], {"type": "agent.started"})
    with client.websocket_connect(ADDRESS) as socket:
        subscribe(socket, "*")
        live.publish(["*"], {"type": "agent.complete"})

        assert socket.receive_json() == {"type": "agent.complete"}


def test_a_client_can_be_sent_to_from_any_thread_in_order(
    live: Live, parrot: Parrot, socket: WebSocketTestSession
) -> None:
    subscribe(socket, "*")
    rest(socket)
    target = parrot.client
    assert target is not None

    def work() -> None:
        for number in range(0, 600, 2):
            live.publish(["*"], {"n": number})
            target.send({"n": number + 1})

    thread = threading.Thread(target=work)
    thread.start()
    told = [socket.receive_json()["n"] for _ in range(600)]
    thread.join()

    assert told == list(range(600))


def test_an_event_comes_before_what_is_published_after_its_commit(
    kernel: Kernel, live: Live, socket: WebSocketTestSession
) -> None:
    subscribe(socket, "*")
    for number in range(100):
        count = number % 3 + 50
        with kernel.db.write() as tx:
            tx.after_commit(lambda: live.publish(["*"], {"type": "before"}))
            for _ in range(count):
                tx.emit(Event(event_type="probe", actor_type="system"))
            tx.after_commit(lambda: live.publish(["*"], {"type": "after"}))

        kinds = [message["type"] for message in rest(socket)]

        assert kinds == ["before", *["event"] * count, "after"]


def test_a_change_that_is_rolled_back_tells_nothing(
    kernel: Kernel, socket: WebSocketTestSession
) -> None:
    subscribe(socket, "*")
    with pytest.raises(ZeroDivisionError), kernel.db.write() as tx:
        tx.emit(Event(event_type="probe", actor_type="system"))
        _ = 1 / 0

    assert rest(socket) == []


def test_an_event_of_a_session_is_told_under_it(
    kernel: Kernel, socket: WebSocketTestSession
) -> None:
    subscribe(socket, "session:chat-1", "*")
    with kernel.db.write() as tx:
        for name in ("chat-1", "chat-2"):
            tx.emit(Event(event_type="probe", actor_type="agent", kombuse_session_id=name))

    assert [message["topic"] for message in rest(socket)] == ["session:chat-1", "*"]


def test_the_event_of_a_ticket_that_is_gone_again_is_told(
    kernel: Kernel, socket: WebSocketTestSession
) -> None:
    subscribe(socket, "ticket:777", "*")
    with kernel.db.write() as tx:
        tx.emit(Event(event_type="probe", actor_type="system", project_id="p", ticket_id=777))

    (message,) = rest(socket)

    assert message["topic"] == "ticket:777"
    assert message["event"]["ticket_number"] is None


def test_what_json_does_not_know_is_told_as_text(live: Live, socket: WebSocketTestSession) -> None:
    subscribe(socket, "*")
    live.publish(["*"], {"a": math.nan, "b": [math.inf], "c": "\ud83d", "d": object})
    live.publish(["*"], {"a": math.nan, "b": -math.inf, "c": "\U0001f600"})

    first, second = (socket.receive_json() for _ in range(2))

    assert first["c"] == "\ud83d"
    assert second == {"a": "NaN", "b": "-Infinity", "c": "\U0001f600"}


def test_a_plugin_serves_a_message_of_its_own(socket: WebSocketTestSession) -> None:
    answer = ask(socket, {"type": "shout", "text": "hey", "loud": True})

    assert answer == {"type": "echo", "text": "HEY"}


@pytest.mark.parametrize("extra", [{}, {"text": 5}, {"text": "x", "loud": "perhaps"}])
def test_a_message_of_a_plugin_is_checked_by_its_model(
    socket: WebSocketTestSession, extra: dict[str, Any]
) -> None:
    expected = {"type": "error", "message": "Invalid message format"}

    assert ask(socket, {"type": "shout", **extra}) == expected


def test_an_error_of_a_plugin_is_told_to_the_sender(socket: WebSocketTestSession) -> None:
    assert ask(socket, {"type": "refuse"}) == {"type": "error", "message": "Session not found"}
    assert ask(socket, {"type": "ping"}) == {"type": "pong"}


def test_a_fault_of_a_plugin_is_told_without_its_details(
    socket: WebSocketTestSession, caplog: pytest.LogCaptureFixture
) -> None:
    expected = {"type": "error", "message": "Internal server error"}

    assert ask(socket, {"type": "break"}) == expected
    assert ask(socket, {"type": "ping"}) == {"type": "pong"}
    assert "secret" in caplog.text


def test_each_type_has_a_size_of_its_own(socket: WebSocketTestSession) -> None:
    message = {"type": "whisper", "text": "x" * 100}

    assert ask(socket, {"type": "whisper", "text": "x"})["text"] == "x"
    assert ask(socket, message)["message"].startswith("Message is too large, at most 60 bytes")
    assert ask(socket, message | {"type": "shout"})["text"] == "x" * 100
