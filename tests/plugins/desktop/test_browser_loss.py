"""A browser that crashes, is missing or does not start."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.desktop_app import browser_pids, running_desktop
from tests.e2e.agent_runs import when

from kombuse_plugins.desktop import isolated_process
from kombuse_plugins.desktop.mode import VARIABLE
from kombuse_sdk.processes import environment


def until(condition: Callable[[], bool]) -> None:
    asyncio.run(when(condition))


def test_a_crashed_browser_is_noticed_and_replaced(tmp_path: Path) -> None:
    with running_desktop(tmp_path / "home") as app:
        app.open(path="/health")
        app.open(path="/health", isolated=True)
        for pid in browser_pids(app.server.home):
            os.kill(pid, signal.SIGKILL)

        until(lambda: app.windows() == [])
        folder = app.server.home / "isolated"
        until(lambda: list(folder.iterdir()) == [])
        window = app.open(path="/health")
        assert window["id"] == 3
        assert app.windows() == [window]


def test_nothing_is_left_of_a_killed_app(tmp_path: Path) -> None:
    with running_desktop(tmp_path / "home") as app:
        app.open(path="/health", isolated=True)
        home = app.server.home
        assert browser_pids(home)
        app.server.kill()

        until(lambda: browser_pids(home) == [])
    with running_desktop(home):
        assert not (home / "isolated").exists()


def test_an_isolated_server_ends_with_whoever_started_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", isolated_process.__file__, str(home)],
        stdin=subprocess.PIPE,
        env=environment(tmp_path),
    )
    until((home / "server-port").exists)
    assert process.stdin is not None
    process.stdin.close()

    assert process.wait(30) == 0
    assert not home.exists()


def test_a_program_that_is_no_browser_is_an_answer_not_a_hang(tmp_path: Path) -> None:
    with running_desktop(tmp_path / "home", {"KOMBUSE_BROWSER": "/bin/false"}) as app:
        answer = app.ask("POST", "")

        assert answer.status_code == 503
        assert app.windows() == []


@pytest.fixture
def desktop_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "no-window,headless")
    monkeypatch.setenv("KOMBUSE_BROWSER", "/nowhere/chromium")


def test_without_a_browser_the_answer_says_how_to_get_one(
    desktop_mode: None, client: TestClient
) -> None:
    answer = client.post("/api/desktop/windows", json={})

    assert answer.status_code == 503
    assert answer.json()["code"] == "NO_BROWSER"
    assert "apt-get install chromium" in answer.json()["error"]
    assert client.get("/api/desktop/windows").json() == []
    assert client.get("/health").status_code == 200


def test_the_mode_is_not_handed_on_to_other_programs(
    desktop_mode: None, client: TestClient
) -> None:
    assert client.get("/api/desktop/windows").status_code == 200
    assert VARIABLE not in os.environ
