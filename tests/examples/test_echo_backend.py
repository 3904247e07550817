"""The example backend does what its README says."""

import asyncio
import importlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.e2e.agent_runs import deny, is_alive, opened, take_turn

from kombuse_sdk.agents import AgentBackend, BackendFailed

FOLDER = Path(__file__).parents[2] / "examples" / "echo_backend"


@pytest.fixture
def plugins_under_test(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    monkeypatch.syspath_prepend(str(FOLDER))
    for name in [name for name in sys.modules if name.startswith("kombuse_echo")]:
        monkeypatch.delitem(sys.modules, name)
    return [importlib.import_module("kombuse_echo")]


@pytest.fixture
def backend(kernel: Any) -> AgentBackend:
    offers = {value.name: value for _, value in kernel.offers("kombuse_agent_backends")}
    found: AgentBackend = offers["echo"]
    return found


def test_it_is_listed_with_the_others(client: TestClient) -> None:
    states = client.get("/api/backend-status").json()

    assert [s["available"] for s in states if s["backendType"] == "echo"] == [True]


def test_it_repeats_every_line_once_it_may(backend: AgentBackend, tmp_path: Path) -> None:
    async def scenario() -> int:
        async with opened(backend, tmp_path) as (run, asked):
            for _ in range(2):
                turn = await take_turn(run, "one\ntwo")
                assert turn.said == "one\ntwo"
                assert turn.end is not None and turn.end.success
            assert [request.input for request in asked] == [{"text": "one\ntwo"}] * 2
            return run.pid or 0

    assert not is_alive(asyncio.run(scenario()))


def test_it_is_silent_when_it_may_not(backend: AgentBackend, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(backend, tmp_path, deny) as (run, _):
            turn = await take_turn(run, "one")
            assert turn.events == [] and turn.end is not None
            assert turn.end.error == "not on my machine"

    asyncio.run(scenario())


def test_it_tells_when_its_program_has_ended(backend: AgentBackend, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with opened(backend, tmp_path) as (run, _):
            os.kill(run.pid or 0, signal.SIGKILL)
            with pytest.raises(BackendFailed, match="cat has ended"):
                await take_turn(run, "one\n" * 100)

    asyncio.run(scenario())
