"""What a crash or the end of the server leaves: no session stays running, no work is lost."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import importlib_metadata
import pytest
from starlette.testclient import TestClient
from tests.plugins.sessions.fake_agents import (
    Agents,
    FakeBackend,
    FakeRun,
    Heard,
    Record,
    Wire,
    said,
)

from kombuse_plugins.sessions.provider import live_sessions
from kombuse_sdk.agents import AgentEvent, TurnEnd
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

Start = Callable[[], tuple[Any, TestClient]]


async def never_ends(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
    yield said("working")
    await run.interrupted.wait()
    yield TurnEnd(success=False)


async def says_nothing(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
    await run.interrupted.wait()
    yield TurnEnd(success=False)


@pytest.fixture
def start(
    kombuse_home: Path, kombuse_config: dict[str, Any], plugins_under_test: list[object]
) -> Iterator[Start]:
    """Starts the server again and again on one home."""
    kombuse_home.mkdir(mode=0o700)
    (kombuse_home / "config.json").write_text(json.dumps(kombuse_config), encoding="utf-8")
    points = {p.name: p.load() for p in importlib_metadata.entry_points(group="kombuse.kernel")}
    running: list[Any] = []

    def again() -> tuple[Any, TestClient]:
        if running:
            running.pop().stop()
        kernel = points["build"](kombuse_home, plugins_under_test)
        kernel.start()
        running.append(kernel)
        return kernel, TestClient(points["app"](kernel), base_url="http://127.0.0.1:3331")

    yield again
    for kernel in running:
        kernel.stop()


def prepare(client: TestClient) -> tuple[dict[str, Any], Any]:
    agents, make = Agents(client), Factory(client)
    agent = agents.make()
    agents.trigger(agent, "ticket.created")
    return agent, make.project()


def test_a_run_that_did_nothing_yet_starts_again_after_the_end_of_the_server(
    start: Start, heard: Heard, backend: FakeBackend
) -> None:
    backend.script = says_nothing
    _, client = start()
    _, project = prepare(client)
    Factory(client).ticket(project)
    heard.wait("agent.started")
    heard.wait("agent.event", 2)
    session_id = heard.of("agent.started")[0]["kombuseSessionId"]

    backend.script = never_ends
    _, client = start()

    assert heard.wait("agent.complete")["reason"] == "server_shutdown"
    assert heard.wait("agent.started", 2)["kombuseSessionId"] == session_id
    (invocation,) = client.get("/api/invocations").json()
    assert (invocation["status"], invocation["attempts"]) == ("running", 1)


def test_a_run_that_did_something_fails_at_the_end_of_the_server(
    start: Start, heard: Heard, backend: FakeBackend
) -> None:
    backend.script = never_ends
    _, client = start()
    _, project = prepare(client)
    Factory(client).ticket(project)
    heard.wait("agent.event", 3)
    session_id = heard.of("agent.started")[0]["kombuseSessionId"]

    _, client = start()

    session = Record(client).session(session_id)
    assert (session["status"], session["metadata"]["terminal_source"]) == (
        "aborted",
        "shutdown_cleanup",
    )
    (note,) = Record(client).events(session_id)[-1:]
    assert note["payload"]["sourceType"] == "server_session_cleanup"
    assert note["payload"]["data"]["action"] == "forced_abort"
    (invocation,) = client.get("/api/invocations").json()
    assert (invocation["status"], invocation["error"]) == ("failed", "server_shutdown")
    assert backend.runs[0].closed


def test_after_a_crash_what_ran_is_aborted_and_unused_chats_stay(
    start: Start, heard: Heard, backend: FakeBackend
) -> None:
    kernel, client = start()
    agent, _ = prepare(client)
    body = {"agent_id": agent["id"]}
    unused = client.post("/api/sessions", json=body).json()["kombuse_session_id"]
    crashed = client.post("/api/sessions", json=body).json()["kombuse_session_id"]
    client.post(f"/api/sessions/{crashed}/messages", json={"message": "go"})
    heard.wait("agent.complete")
    live_sessions(kernel).stop(crashed)
    heard.wait("agent.complete", status="stopped")
    with kernel.db.write() as tx:
        tx.execute(
            "UPDATE sessions SET status = 'running' WHERE kombuse_session_id = ?", (crashed,)
        )
        tx.execute("UPDATE agent_invocations SET status = 'running'")
    kernel.stop = _without_mending(kernel)

    _, client = start()

    record = Record(client)
    session = record.session(crashed)
    assert session["status"] == "aborted"
    assert session["metadata"]["terminal_reason"] == "server_startup_recovery"
    assert record.session(unused)["status"] == "pending"
    assert [e["seq"] for e in record.events(crashed)] == [1, 2, 3, 4]
    (invocation,) = client.get("/api/invocations").json()
    assert (invocation["status"], invocation["error"]) == ("failed", "server_startup_recovery")


def _without_mending(kernel: Any) -> Callable[[], None]:
    """The end of a process that had no time to tidy up."""

    def stop() -> None:
        kernel._jobs.stop()
        kernel.dispatcher.stop()
        runner = live_sessions(kernel).runner
        runner._call(lambda: runner._loop.stop() if runner._loop else None)
        runner._thread.join()
        kernel.db.close()

    return stop


def test_a_session_without_a_backend_that_is_long_silent_is_aborted(
    kernel: Kernel, client: TestClient, agents: Agents, heard: Heard, record: Record
) -> None:
    ids = [
        client.post("/api/sessions", json={"agent_id": agents.make(name=name)["id"]}).json()[
            "kombuse_session_id"
        ]
        for name in ("Old", "Fresh")
    ]
    old = timestamp(datetime.now(UTC) - timedelta(minutes=11))
    with kernel.db.write() as tx:
        for session_id, moment in zip(ids, (old, tx.now), strict=True):
            tx.execute(
                "UPDATE sessions SET status = 'running', updated_at = ?"
                " WHERE kombuse_session_id = ?",
                (moment, session_id),
            )

    live_sessions(kernel).sweep()

    session = record.session(ids[0])
    assert session["metadata"]["terminal_reason"] == "backend_unavailable"
    assert record.session(ids[1])["status"] == "running"
    assert heard.wait("agent.complete", status="aborted")["kombuseSessionId"] == ids[0]


def test_a_live_session_is_not_swept_however_silent(
    kernel: Kernel, agents: Agents, wire: Wire, heard: Heard, record: Record, backend: FakeBackend
) -> None:
    backend.script = never_ends
    wire.send("agent.invoke", message="go", agentId=agents.make()["id"])
    heard.wait("agent.event", 3)
    session_id = heard.of("agent.started")[0]["kombuseSessionId"]
    with kernel.db.write() as tx:
        tx.execute("UPDATE sessions SET updated_at = '2020-01-01T00:00:00.000Z'")

    live_sessions(kernel).sweep()

    assert record.session(session_id)["status"] == "running"
