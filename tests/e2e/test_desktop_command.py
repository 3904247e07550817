"""`kombuse desktop` as a process: start, second start, end."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.desktop_app import browser_pids, require_browser
from tests.e2e.agent_runs import when

from kombuse_sdk.processes import command, environment, running_server

_SECONDS = 30


@contextmanager
def desktop(home: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command("desktop", *options),
        cwd=home.parent,
        env=environment(home, {"DISPLAY": "", "WAYLAND_DISPLAY": ""}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=_SECONDS)


def until(condition: Callable[[], bool]) -> None:
    asyncio.run(when(condition))


def port_of(home: Path) -> int:
    until((home / "server-port").exists)
    text = (home / "server-port").read_text(encoding="ascii")
    assert text.isdigit()
    return int(text)


def windows(port: int) -> Any:
    url = f"http://127.0.0.1:{port}/api/desktop/windows"
    return httpx.get(url, trust_env=False, timeout=_SECONDS).json()


def test_it_opens_a_window_of_the_app_and_ends_with_all_it_started(tmp_path: Path) -> None:
    require_browser()
    home = tmp_path / "home"
    with desktop(home) as process:
        port = port_of(home)
        until(lambda: len(windows(port)) == 1)
        (window,) = windows(port)
        assert window["url"] == f"http://127.0.0.1:{port}/?port={port}"
        assert browser_pids(home)

        process.terminate()
        assert process.wait(_SECONDS) == 0
        assert browser_pids(home) == []
        assert not (home / "server-port").exists()


def test_a_second_start_opens_a_window_of_the_first(tmp_path: Path) -> None:
    require_browser()
    home = tmp_path / "home"
    with desktop(home, "--no-window"):
        port = port_of(home)
        assert windows(port) == []

        with desktop(home) as second:
            assert second.wait(_SECONDS) == 0
        assert len(windows(port)) == 1
        with desktop(home, "--no-window") as third:
            assert third.wait(_SECONDS) == 0
        assert len(windows(port)) == 1
        assert port_of(home) == port


def test_two_starts_at_once_make_one_app(tmp_path: Path) -> None:
    require_browser()
    home = tmp_path / "home"
    with desktop(home, "--headless") as first, desktop(home, "--headless") as second:
        port = port_of(home)
        until(lambda: len(windows(port)) == 2)
        until(lambda: None in (first.poll(), second.poll()) and 0 in (first.poll(), second.poll()))


def test_a_server_without_windows_is_left_alone(tmp_path: Path) -> None:
    with running_server(tmp_path / "home") as server, desktop(server.home) as process:
        output, _ = process.communicate(timeout=_SECONDS)

        assert process.returncode == 4
        assert f"another server (process {server.pid})" in output.decode()
        assert server.http.get("/health").status_code == 200


def test_the_lock_is_no_link_to_somewhere_else(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "desktop.lock").symlink_to(tmp_path / "planted")
    with desktop(home) as process:
        output, _ = process.communicate(timeout=_SECONDS)

    assert process.returncode == 5
    assert "cannot be used" in output.decode()
    assert not (tmp_path / "planted").exists()
