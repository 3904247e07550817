"""What real clients are told, and that nobody is told less because of another."""

import json
import socket as sockets
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import StartServer
from tests.installed import install
from tests.sockets import Socket, open_socket
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from kombuse_sdk.processes import ServerProcess

BIG = "x" * 400_000


class Tracker:
    """A project of its own on a server."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.project = self._post("/api/projects", {"name": "Live", "owner_id": "user-1"})
        self.id: str = self.project["id"]
        self.slug: str = self.project["slug"]

    def ticket(self, **values: Any) -> Any:
        body = {"project_id": self.id, "author_id": "user-1", "title": "t"} | values
        return self._post("/api/tickets", body)

    def comment(self, ticket: Any, body: str = "c") -> Any:
        path = f"/api/projects/{self.id}/tickets/by-number/{ticket['ticket_number']}/comments"
        return self._post(path, {"author_id": "user-1", "body": body})

    def event(self, **values: Any) -> Any:
        body = {"event_type": "probe", "actor_type": "system", "payload": {}}
        return self._post("/api/events", body | {"project_id": self.id} | values)

    def _post(self, path: str, body: Any) -> Any:
        answer = self.server.http.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
def tracker(server: ServerProcess) -> Tracker:
    return Tracker(server)


@pytest.fixture
def socket(server: ServerProcess) -> Iterator[Socket]:
    with open_socket(server) as opened:
        yield opened


def types(messages: list[Any]) -> list[str]:
    return [message["event"]["event_type"] for message in messages]


def test_an_event_has_its_actor_its_ticket_number_and_its_payload_as_an_object(
    tracker: Tracker, socket: Socket
) -> None:
    socket.subscribe(f"project:{tracker.id}")
    ticket = tracker.ticket(title="seen")

    message = socket.receive()

    event = message.pop("event")
    assert message == {"type": "event", "topic": f"project:{tracker.id}"}
    assert event.pop("actor")["name"] == "Default User"
    assert isinstance(event.pop("id"), int)
    assert event.pop("created_at").endswith("Z")
    assert event.pop("payload")["title"] == "seen"
    assert event == {
        "event_type": "ticket.created",
        "project_id": tracker.id,
        "ticket_id": ticket["id"],
        "ticket_number": ticket["ticket_number"],
        "comment_id": None,
        "actor_id": "user-1",
        "actor_type": "user",
        "kombuse_session_id": None,
    }


def test_an_event_of_nobody_has_no_actor(tracker: Tracker, socket: Socket) -> None:
    socket.subscribe("*")
    tracker.event()

    assert socket.receive()["event"]["actor"] is None


@pytest.mark.parametrize(
    "form",
    [
        "project:{id}",
        "project:{slug}",
        "ticket:{ticket}",
        "ticket:{id}:{number}",
        "ticket:{slug}:{number}",
        "*",
    ],
)
def test_every_topic_of_an_event_is_told_as_it_was_subscribed(
    tracker: Tracker, socket: Socket, form: str
) -> None:
    ticket = tracker.ticket()
    topic = form.format(
        id=tracker.id,
        slug=tracker.slug,
        ticket=ticket["id"],
        number=ticket["ticket_number"],
    )
    socket.subscribe(topic)
    tracker.comment(ticket)

    assert [message["topic"] for message in socket.rest()] == [topic]


def test_an_event_is_told_once_under_the_first_of_its_topics(
    tracker: Tracker, socket: Socket
) -> None:
    ticket = tracker.ticket()
    by_ticket, by_number = f"ticket:{ticket['id']}", f"ticket:{tracker.id}:1"
    told = []
    socket.subscribe("*", by_number, by_ticket, f"project:{tracker.id}")
    for topic in (f"project:{tracker.id}", by_ticket, by_number, "*"):
        tracker.event(ticket_id=ticket["id"])
        told += [message["topic"] for message in socket.rest()]
        socket.ask({"type": "unsubscribe", "topics": [topic]})
    tracker.event(ticket_id=ticket["id"])

    assert told == [f"project:{tracker.id}", by_ticket, by_number, "*"]
    assert socket.rest() == []


def test_a_topic_that_is_subscribed_twice_is_told_once_and_left_once(
    tracker: Tracker, socket: Socket
) -> None:
    topic = f"project:{tracker.id}"
    socket.subscribe(topic, topic)
    socket.subscribe(topic)
    tracker.ticket()

    assert types(socket.rest()) == ["ticket.created"]
    socket.ask({"type": "unsubscribe", "topics": [topic]})
    tracker.ticket()
    assert socket.rest() == []


@pytest.mark.parametrize("topic", ["ticket:*", "project:*", "project:", "ticket", "**", "", "all"])
def test_there_are_no_other_wildcards(tracker: Tracker, socket: Socket, topic: str) -> None:
    socket.subscribe(topic)
    tracker.comment(tracker.ticket())

    assert socket.rest() == []


def test_other_projects_and_tickets_are_not_told(
    server: ServerProcess, tracker: Tracker, socket: Socket
) -> None:
    other = Tracker(server)
    mine, theirs = tracker.ticket(), other.ticket()
    socket.subscribe(f"project:{tracker.id}", f"ticket:{other.id}:{theirs['ticket_number'] + 1}")
    other.comment(theirs)
    tracker.comment(mine)

    assert [message["event"]["project_id"] for message in socket.rest()] == [tracker.id]


def test_a_change_that_is_refused_tells_nothing(
    server: ServerProcess, tracker: Tracker, socket: Socket
) -> None:
    socket.subscribe("*")
    body = {"project_id": tracker.id, "author_id": "user-1", "title": "t", "label_ids": [99999]}

    assert server.http.post("/api/tickets", json=body).status_code == 400

    assert socket.rest() == []
    tracker.ticket()
    assert types(socket.rest()) == ["ticket.created"]


def test_events_of_many_writers_are_told_in_the_order_of_the_log(
    tracker: Tracker, socket: Socket
) -> None:
    socket.subscribe(f"project:{tracker.id}")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: tracker.ticket(), range(200)))

    ids = [message["event"]["id"] for message in socket.rest()]

    assert len(ids) == 200
    assert ids == sorted(ids)


def test_what_happened_before_a_subscription_is_not_told(
    server: ServerProcess, tracker: Tracker
) -> None:
    topic = f"project:{tracker.id}"
    with open_socket(server) as first:
        first.subscribe(topic)
        tracker.ticket()
        assert types(first.rest()) == ["ticket.created"]
    tracker.ticket()
    with open_socket(server) as again:
        again.subscribe(topic)
        comment = tracker.comment(tracker.ticket())

        told = again.rest()

    assert types(told) == ["ticket.created", "comment.added"]
    assert told[1]["event"]["comment_id"] == comment["id"]


def test_a_slug_is_followed_when_it_moves(
    server: ServerProcess, tracker: Tracker, socket: Socket
) -> None:
    socket.subscribe("project:later-known-as")
    tracker.ticket()
    answer = server.http.patch(f"/api/projects/{tracker.id}", json={"slug": "later-known-as"})
    assert answer.status_code == 200
    tracker.ticket()

    assert [message["topic"] for message in socket.rest()] == ["project:later-known-as"]


def test_a_client_that_vanishes_is_forgotten(server: ServerProcess, tracker: Tracker) -> None:
    folder = Path(f"/proc/{server.pid}/fd")
    if not folder.exists():
        pytest.skip("open files of a process are only counted where /proc is")
    with open_socket(server) as watcher:
        watcher.subscribe("*")
        before = len(list(folder.iterdir()))
        for _ in range(20):
            with open_socket(server) as gone:
                gone.subscribe("*")
                reset = struct.pack("ii", 1, 0)
                gone.connection.socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, reset)
                gone.connection.socket.close()
        for _ in range(200):
            tracker.event()
            assert types(watcher.rest()) == ["probe"]
            if len(list(folder.iterdir())) <= before:
                break

        assert len(list(folder.iterdir())) <= before
    assert "Traceback" not in server.output


BURSTS = """
from kombuse_sdk.contracts import Live
from kombuse_sdk.events import Event
from kombuse_sdk.sockets import SocketMessage
from pydantic import BaseModel

class Burst(BaseModel):
    count: int

@hookimpl
def kombuse_socket_messages(kernel):
    async def publish(client, given):
        live = kernel.services.get(Live)
        for number in range(given.count):
            live.publish(["*"], {"n": number}, sender=client.id)

    async def emit(client, given):
        def work(tx):
            for number in range(given.count):
                tx.emit(Event(event_type="probe", actor_type="system", payload={"n": number}))
        await kernel.db.write_async(work)

    return [
        SocketMessage(name="publish", model=Burst, handle=publish),
        SocketMessage(name="emit", model=Burst, handle=emit),
    ]
"""


def test_a_burst_is_no_reason_to_drop_clients_that_read(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(env=install(tmp_path / "plugins", "bursts", BURSTS))
    with open_socket(server, max_queue=None) as one, open_socket(server, max_queue=None) as two:
        one.subscribe("*")
        two.subscribe("*")
        one.send({"type": "publish", "count": 10_000})
        one.send({"type": "emit", "count": 3000})
        for socket in (one, two):
            told = [socket.receive() for _ in range(13_000)]

            assert [message["n"] for message in told[:10_000]] == list(range(10_000))
            payloads = [message["event"]["payload"]["n"] for message in told[10_000:]]
            assert payloads == list(range(3000))


def test_a_client_that_does_not_read_is_dropped_and_nobody_else_waits(
    start_server: StartServer,
) -> None:
    server = start_server()
    tracker = Tracker(server)
    with open_socket(server, max_queue=1) as slow, open_socket(server) as quick:
        slow.subscribe("*")
        quick.subscribe("*")
        for number in range(60):
            tracker.event(payload={"number": number, "text": BIG})
            (told,) = quick.rest()
            assert told["event"]["payload"]["number"] == number

        got, code = until_closed(slow)

        assert got == list(range(len(got)))
        assert len(got) < 60
        assert code == 1013
    with open_socket(server) as back:
        back.subscribe("*")
        tracker.event(payload={"number": 60})
        assert [message["event"]["payload"] for message in back.rest()] == [{"number": 60}]
    assert "Traceback" not in server.output


def until_closed(socket: Socket) -> tuple[list[int], int]:
    """The numbers of the events that were still sent, and the code of the end."""
    numbers = []
    try:
        while True:
            numbers.append(socket.receive()["event"]["payload"]["number"])
    except ConnectionClosedError as closed:
        assert closed.rcvd is not None
        return numbers, closed.rcvd.code


def test_clients_that_do_not_read_cost_little(start_server: StartServer) -> None:
    server = start_server()
    tracker = Tracker(server)
    stalled = [stall(server.port) for _ in range(30)]
    try:
        with open_socket(server) as quick:
            quick.subscribe("*")
            tracker.event(payload={"text": BIG})
            quick.rest()
            before = resident_mb(server.pid)
            for _ in range(60):
                tracker.event(payload={"text": BIG})
                assert len(quick.rest()) == 1

            grown = resident_mb(server.pid) - before

        assert grown < 100
    finally:
        for connection in stalled:
            connection.close()


def stall(port: int) -> sockets.socket:
    """Subscribe to everything, and never read."""
    connection = sockets.socket()
    connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(
        f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    assert connection.recv(12) == b"HTTP/1.1 101"
    body = json.dumps({"type": "subscribe", "topics": ["*"]}).encode()
    connection.sendall(bytes([0x81, 0x80 | len(body), 0, 0, 0, 0]) + body)
    return connection


def resident_mb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        pytest.skip("memory is only read where /proc is")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1000


def test_a_server_that_ends_tells_its_clients_and_does_not_wait_for_them(
    start_server: StartServer,
) -> None:
    server = start_server()
    tracker = Tracker(server)
    with open_socket(server) as socket:
        socket.subscribe("*")
        connection = stall(server.port)
        for _ in range(15):
            tracker.event(payload={"text": BIG})
        socket.rest()

        assert server.stop() == 0

        with pytest.raises(ConnectionClosed) as closed:
            socket.receive()
        connection.close()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert "Traceback" not in server.output
