"""How much may wait for a client, and what it may say: below the network."""

import asyncio
import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kombuse_plugins.realtime import hub as hub_module
from kombuse_plugins.realtime.connection import MAX_WAITING, MAX_WAITING_BYTES, Connection
from kombuse_plugins.realtime.endpoint import Endpoint
from kombuse_plugins.realtime.frames import Frame
from kombuse_plugins.realtime.hub import Hub
from kombuse_plugins.realtime.messages import Messages
from kombuse_plugins.realtime.schemas import Empty
from kombuse_plugins.realtime.socket_messages import socket_messages
from kombuse_sdk.sockets import Client, SocketMessage
from kombuse_sdk.storage import Database
from kombuse_sdk.types import Kernel

SMALL = Frame("{}", 2)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
TYPED = st.fixed_dictionaries(
    {"type": st.sampled_from(["subscribe", "unsubscribe", "ping"]) | JSON},
    optional={"topics": JSON | st.lists(st.text(max_size=300), max_size=5)},
)


class NoEvents:
    """As much of a database as a hub needs that tells no events."""

    def read(self) -> "NoEvents":
        return self

    def __enter__(self) -> "NoEvents":
        return self

    def __exit__(self, *_: object) -> None: ...

    def value(self, sql: str) -> int:
        return 0


class OnlyHub:
    """As much of a kernel as the messages of this plugin need."""

    def __init__(self) -> None:
        self.hub = Hub(cast(Database, NoEvents()))
        self.services = self

    def get(self, protocol: object) -> Hub:
        return self.hub


def connection() -> Connection:
    return Connection(lambda to, message: None)


async def sent_by(client: Connection) -> list[str]:
    """What is written until nothing waits any more."""
    sent: list[str] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message["text"])

    writing = asyncio.create_task(client.write(send))
    while True:
        before = len(sent)
        for _ in range(3):
            await asyncio.sleep(0)
        if len(sent) == before:
            break
    writing.cancel()
    return sent


def test_a_thousand_messages_may_wait_and_the_next_is_the_end() -> None:
    async def work() -> None:
        client = connection()
        for _ in range(MAX_WAITING):
            client.put(SMALL)
        assert client.ending is None
        client.put(SMALL)
        assert client.ending is not None
        assert client.ending.code == 1013
        assert client.ended.is_set()
        client.put(SMALL)
        assert await sent_by(client) == []

    asyncio.run(work())


def test_eight_megabytes_may_wait_and_what_is_more_is_the_end() -> None:
    async def work() -> None:
        client = connection()
        half = Frame("x", MAX_WAITING_BYTES // 2)
        client.put(half)
        client.put(half)
        assert client.ending is None
        client.put(SMALL)
        assert client.ending is not None

    asyncio.run(work())


def test_one_message_may_be_as_large_as_it_is() -> None:
    async def work() -> None:
        client = connection()
        client.put(Frame("x", MAX_WAITING_BYTES * 2))
        assert client.ending is None
        assert await sent_by(client) == ["x"]

    asyncio.run(work())


def test_what_was_sent_makes_room() -> None:
    async def work() -> None:
        client = connection()
        for _ in range(5):
            for _ in range(MAX_WAITING):
                client.put(SMALL)
            assert len(await sent_by(client)) == MAX_WAITING
        assert client.ending is None

    asyncio.run(work())


def test_more_than_can_ever_be_sent_drops_everybody_instead_of_growing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "_MAX_INBOX_BYTES", 1000)

    async def work() -> None:
        hub = OnlyHub().hub
        clients = [hub.join() for _ in range(3)]
        for client in clients:
            hub.subscribe(client, ["*"])
        for _ in range(100):
            hub.publish(["*"], {"text": "x" * 100})
        await asyncio.sleep(0)
        assert [client.ending and client.ending.code for client in clients] == [1013] * 3
        late = hub.join()
        hub.subscribe(late, ["*"])
        hub.publish(["*"], {"n": 1})
        await asyncio.sleep(0)
        assert await sent_by(late) == ['{"n":1}']

    asyncio.run(work())


def test_one_turn_of_the_loop_sends_only_so_much() -> None:
    async def work() -> None:
        hub = OnlyHub().hub
        for _ in range(100):
            hub.subscribe(hub.join(), ["*"])
        for _ in range(50):
            hub.publish(["*"], {"n": 1})
        turns = 0
        while hub._inbox:
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 10

    asyncio.run(work())


def test_a_client_that_left_leaves_nothing_behind() -> None:
    async def work() -> None:
        hub = OnlyHub().hub
        client = hub.join()
        hub.subscribe(client, ["a", "b", "a"])
        hub.leave(client)
        assert (hub._clients, hub._listeners) == ({}, {})

    asyncio.run(work())


class Gate:
    """A message whose handling takes until the gate is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.begun = asyncio.Event()
        self.is_done = False

    async def handle(self, client: Client, given: Any) -> None:
        self.begun.set()
        await self.opened.wait()
        self.is_done = True


class OnlyGate(OnlyHub):
    def __init__(self, gate: Gate) -> None:
        super().__init__()
        self.gate = gate

    def offers(self, hook: str) -> list[Any]:
        return [("gate", SocketMessage(name="pass", model=Empty, handle=self.gate.handle))]


def test_what_was_begun_is_done_even_if_the_client_is_gone() -> None:
    async def work() -> None:
        gate = Gate()
        kernel = OnlyGate(gate)
        incoming: asyncio.Queue[Any] = asyncio.Queue()
        incoming.put_nowait({"type": "websocket.connect"})
        incoming.put_nowait({"type": "websocket.receive", "text": '{"type":"pass"}'})

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "websocket.send":
                raise OSError("gone")

        endpoint = Endpoint(cast(Kernel, kernel))
        serving = asyncio.create_task(endpoint({"type": "websocket"}, incoming.get, send))
        await gate.begun.wait()
        (client,) = kernel.hub._clients.values()
        client.put(SMALL)
        await serving
        assert not gate.is_done
        gate.opened.set()
        while endpoint._handling:
            await asyncio.sleep(0)
        assert gate.is_done

    asyncio.run(work())


def answers_to(sent: list[bytes]) -> list[Any]:
    async def work() -> list[str]:
        kernel = OnlyHub()
        handle = Messages(socket_messages(cast(Kernel, kernel))).handle
        client = kernel.hub.join()
        for data in sent:
            await handle(client, data)
        await asyncio.sleep(0)
        return await sent_by(client)

    return [json.loads(text) for text in asyncio.run(work())]


@given(messages=st.lists(JSON | TYPED, max_size=20), noise=st.binary(max_size=200))
def test_whatever_is_said_is_answered_once(messages: list[Any], noise: bytes) -> None:
    sent = [json.dumps(message).encode() for message in messages]
    answers = answers_to([*sent, noise])

    assert len(answers) == len(sent) + 1
    assert {answer["type"] for answer in answers} <= {"subscribed", "unsubscribed", "pong", "error"}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=250), max_size=20))
def test_any_topics_can_be_subscribed_and_left(topics: list[str]) -> None:
    messages = [{"type": name, "topics": topics} for name in ("subscribe", "unsubscribe")]
    sent = [json.dumps(message).encode() for message in messages]

    assert answers_to(sent) == [
        {"type": "subscribed", "topics": topics},
        {"type": "unsubscribed", "topics": topics},
    ]
