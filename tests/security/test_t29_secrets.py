"""T29: secrets that an agent comes across, and details of faults, are told to nobody."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient
from tests.fakes import fake_plugin
from tests.plugins.sessions.fake_agents import (
    Agents,
    FakeBackend,
    FakeRun,
    Heard,
    Script,
    result,
    said,
    used,
)

from kombuse_plugins.sessions import secrets
from kombuse_sdk import Service
from kombuse_sdk.agents import AgentEvent, BackendFailed, TurnEnd
from kombuse_sdk.contracts import Live
from kombuse_sdk.testing import Factory, ticket_path

CANARY = "canary-5d41402abc4b2a76"
TOKENS = (
    "sk-ant-api03-abcdefghijklmnopqrstuv",
    "ghp_" + "a1" * 18,
    "AKIAIOSFODNN7EXAMPLE",
    "xoxb-123456789012-abcdef",
)
LEAK = " and ".join((CANARY, *TOKENS))
PATH = "/home/somebody/private/kombuse.db"

Steps = AsyncIterator[AgentEvent | TurnEnd]
Told = dict[str, str]


@pytest.fixture(autouse=True)
def _secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CANARY_API_TOKEN", CANARY)
    secrets._of_this_process.cache_clear()
    yield
    secrets._of_this_process.cache_clear()


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"disabled_plugins": ["realtime", "permissions", "backends", "codex", "claude_code"]}


@pytest.fixture
def plugins_under_test(backend: FakeBackend, heard: Heard) -> list[object]:
    made: list[ModuleType] = [
        fake_plugin("fake-backend", agent_backends=lambda kernel: [backend]),
        fake_plugin("fake-live", services=lambda kernel: [Service(Live, heard)]),
        fake_plugin("faulty", routes=lambda kernel: _faulty_routes()),
    ]
    return list(made)


def _faulty_routes() -> APIRouter:
    router = APIRouter(prefix="/faulty")

    async def fault() -> dict[str, str]:
        raise RuntimeError(f"{PATH}: {LEAK}")

    async def misfit() -> dict[str, int]:
        return {PATH: LEAK}  # type: ignore[dict-item]

    async def no_file() -> dict[str, str]:
        raise FileNotFoundError(2, "No such file", PATH)

    for endpoint in (fault, misfit, no_file):
        router.add_api_route(f"/{endpoint.__name__}", endpoint, methods=["GET", "POST"])
    return router


async def speaks(run: FakeRun, message: str) -> Steps:
    yield said(f"I found {LEAK}")
    yield TurnEnd(success=True)


async def uses_tools(run: FakeRun, message: str) -> Steps:
    yield used("Bash", command=f"curl -H '{LEAK}'", env={LEAK: [LEAK]})
    yield result([{"type": "text", "text": f"HEADER={LEAK}"}])
    yield said("done")
    yield TurnEnd(success=True)


async def plans(run: FakeRun, message: str) -> Steps:
    yield used("ExitPlanMode", plan=LEAK)
    yield result(f"## Approved Plan:\nUse {LEAK}")
    yield said("planned")
    yield TurnEnd(success=True)


async def reports_an_error(run: FakeRun, message: str) -> Steps:
    yield AgentEvent(type="error", payload={"message": LEAK})
    yield TurnEnd(success=False, error=f"refused {LEAK}")


async def breaks_down(run: FakeRun, message: str) -> Steps:
    yield said("one moment")
    raise BackendFailed(f"exit 1: {LEAK}")


async def has_a_bug(run: FakeRun, message: str) -> Steps:
    yield said("one moment")
    raise RuntimeError(LEAK)


@pytest.fixture
def run_agent(
    client: TestClient,
    make: Factory,
    heard: Heard,
    backend: FakeBackend,
    caplog: pytest.LogCaptureFixture,
) -> Callable[[Script], Told]:
    """Runs an agent on a new ticket; all that can be read of it afterwards."""

    def run(script: Script) -> Told:
        backend.script = script
        agents = Agents(client)
        agents.trigger(agents.make(), "ticket.created")
        with caplog.at_level(logging.DEBUG):
            ticket = make.ticket(make.project())
            session_id = heard.wait("agent.complete")["kombuseSessionId"]
            pages = [
                f"/api/sessions/{session_id}/events",
                f"/api/sessions/{session_id}",
                "/api/sessions",
                "/api/invocations",
                "/api/events",
                f"{ticket_path(ticket)}/comments",
                f"{ticket_path(ticket)}/timeline",
            ]
            told = {page: _read(client, page) for page in pages}
        return told | {"messages": str(heard.messages), "log": caplog.text}

    return run


def _read(client: TestClient, page: str) -> str:
    answer = client.get(page)
    assert answer.status_code == 200, f"{page}: {answer.text}"
    return answer.text


def leaks(told: Told) -> list[str]:
    return [
        f"{secret} in {place}"
        for place, text in told.items()
        for secret in (CANARY, *TOKENS)
        if secret in text
    ]


@pytest.mark.parametrize("script", [speaks, uses_tools, plans, reports_an_error, breaks_down])
def test_no_secret_that_an_agent_comes_across_is_told(
    run_agent: Callable[[Script], Told], script: Script
) -> None:
    told = run_agent(script)

    assert leaks(told) == []
    assert any("[redacted]" in text for text in told.values())


def test_the_last_words_on_the_ticket_hold_no_secret(run_agent: Callable[[Script], Told]) -> None:
    told = run_agent(speaks)

    comments, timeline = (
        next(text for page, text in told.items() if page.endswith(end))
        for end in ("/comments", "/timeline")
    )
    assert "I found [redacted] and [redacted]" in comments
    assert "I found [redacted] and [redacted]" in timeline
    assert leaks(told) == []


def test_a_backend_with_a_bug_tells_no_secret_to_clients(
    run_agent: Callable[[Script], Told],
) -> None:
    told = run_agent(has_a_bug)
    del told["log"]

    assert leaks(told) == []


def test_a_backend_with_a_bug_logs_no_secret(run_agent: Callable[[Script], Told]) -> None:
    assert leaks({"log": run_agent(has_a_bug)["log"]}) == []


def test_a_backend_that_does_not_open_tells_no_secret(
    run_agent: Callable[[Script], Told], backend: FakeBackend
) -> None:
    backend.fails.append(BackendFailed(f"cannot start: {LEAK}"))

    assert leaks(run_agent(speaks)) == []


def test_a_fault_is_answered_without_detail_and_without_path(
    client: TestClient, kombuse_home: Path
) -> None:
    for name in ("fault", "misfit", "no_file"):
        for method in ("GET", "POST"):
            answer = client.request(method, f"/api/faulty/{name}")

            assert answer.status_code == 500, (name, method)
            assert answer.json() == {"error": "Internal server error"}, (name, method)
            headers = str(answer.headers)
            for detail in (CANARY, *TOKENS, PATH, str(kombuse_home), "Traceback", "RuntimeError"):
                assert detail not in answer.text + headers


def test_an_error_names_no_path_of_the_server(client: TestClient, kombuse_home: Path) -> None:
    paths = (
        "/api/sessions/none",
        "/api/sessions/none/events",
        "/api/attachments/999999/download",
        "/api/tickets?limit=x",
        "/api/none",
        "/api/sessions/%00",
    )
    for path in paths:
        answer = client.get(path)

        assert 400 <= answer.status_code < 500, path
        for detail in (str(kombuse_home), "site-packages", ".py", "sqlite", CANARY):
            assert detail not in answer.text, path
