"""The recorder: gap-free numbers, bounded waiting, and a failure that stays with its session."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.sessions.fake_agents import Agents, FakeBackend, FakeRun, Heard, Record, said

from kombuse_plugins.sessions import payloads, recorder
from kombuse_plugins.sessions.recorder import Channel, Recorder
from kombuse_sdk.agents import AgentEvent, TurnEnd
from kombuse_sdk.types import Kernel

Published = list[tuple[str, int, str]]


@pytest.fixture
def ids(client: TestClient) -> list[str]:
    return [client.post("/api/sessions").json()["kombuse_session_id"] for _ in range(3)]


def item(text: str) -> payloads.Entry:
    made = payloads.entry("message", {"role": "assistant", "content": text}, backend="mock")
    assert made is not None
    return made


def run(kernel: Kernel, work: Callable[[Recorder], Awaitable[None]]) -> Published:
    published: Published = []

    def publish(channel: Channel, seq: int, item: payloads.Entry) -> None:
        published.append((channel.session_id, seq, item.payload["content"]))

    async def main() -> None:
        made = Recorder(kernel.db, publish)
        running = asyncio.create_task(made.run())
        await work(made)
        await made.flush()
        running.cancel()

    asyncio.run(main())
    return published


def test_many_sessions_at_once_have_numbers_without_gaps(
    kernel: Kernel, record: Record, ids: list[str]
) -> None:
    async def work(made: Recorder) -> None:
        async def talk(session_id: str) -> None:
            channel = Channel(session_id)
            for number in range(700):
                await made.put(channel, item(str(number)))

        await asyncio.gather(*(talk(session_id) for session_id in ids))

    published = run(kernel, work)

    for session_id in ids:
        events = record.events(session_id, since_seq=0)
        assert [e["seq"] for e in events] == list(range(1, 701))
        assert [e["payload"]["content"] for e in events] == [str(n) for n in range(700)]
        assert [p[1] for p in published if p[0] == session_id] == list(range(1, 701))
        assert record.session(session_id)["last_event_seq"] == 700


def test_a_session_waits_when_too_much_of_it_is_not_written(kernel: Kernel, ids: list[str]) -> None:
    most = 0

    async def work(made: Recorder) -> None:
        nonlocal most
        channel = Channel(ids[0])
        for number in range(3000):
            await made.put(channel, item(str(number)))
            most = max(most, channel.waiting)

    run(kernel, work)

    assert 100 < most <= recorder._WAITING_ENTRIES


def test_events_of_a_deleted_session_vanish_without_harm(kernel: Kernel, ids: list[str]) -> None:
    async def work(made: Recorder) -> None:
        await made.put(Channel("chat-gone"), item("lost"))
        await made.put(Channel(ids[0]), item("kept"))

    assert run(kernel, work) == [(ids[0], 1, "kept")]


def test_an_event_that_cannot_be_written_harms_its_session_only(
    kernel: Kernel, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_RETRY_SECONDS", ())
    bad = item("bad")
    bad.text = None  # type: ignore[assignment]
    channels = [Channel(ids[0]), Channel(ids[1])]

    async def work(made: Recorder) -> None:
        made.put_now(channels[1], item("good"))
        channels[0].waiting += 1
        made._queue.append((channels[0], _Bad(bad)))  # type: ignore[arg-type]
        made._put += 1

    assert run(kernel, work) == [(ids[1], 1, "good")]
    assert channels[0].failure is not None
    assert channels[1].failure is None


class _Bad:
    """An entry whose text SQLite refuses."""

    def __init__(self, entry: payloads.Entry) -> None:
        self.event_type = entry.event_type
        self.payload = entry.payload
        self.is_streamed = True

    @property
    def text(self) -> Any:
        return _Text()


class _Text:
    def __len__(self) -> int:
        return 3


def test_a_flood_of_events_is_recorded_completely(
    client: TestClient, agents: Agents, heard: Heard, record: Record, backend: FakeBackend
) -> None:
    async def floods(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        for number in range(5000):
            yield said(str(number))
        yield TurnEnd(success=True)

    backend.script = floods
    session_id = client.post("/api/sessions", json={"agent_id": agents.make()["id"]}).json()[
        "kombuse_session_id"
    ]
    client.post(f"/api/sessions/{session_id}/messages", json={"message": "go"})
    heard.wait("agent.complete", status="completed")

    assert record.session(session_id)["last_event_seq"] == 5002
    assert [m["seq"] for m in heard.of("agent.event")] == list(range(1, 5003))
