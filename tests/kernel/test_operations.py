"""A server and its surroundings, with real processes: what is taken, full, read-only or damaged."""

import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from tests.installed import install

from kombuse_sdk.processes import ServerProcess, command, environment, running_server

StartServer = Callable[..., ServerProcess]
CONFIG_FILE = "config.json"
TICKET_BODY = "x" * 2000


def serve(
    home: Path, *options: str, port: int = 0, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A server that is expected to refuse to start."""
    return subprocess.run(
        command("serve", "--port", str(port), *options),
        env=environment(home, env),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with running_server(tmp_path_factory.mktemp("template") / "home") as made:
        made.stop()
    return made.home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    """A home with a database that a server has used."""
    return Path(shutil.copytree(template, tmp_path / "home"))


def profiles(server: ServerProcess) -> list[str]:
    found = server.http.get("/api/profiles", params={"limit": 100})
    assert found.status_code == 200
    return [profile["name"] for profile in found.json()]


def create_profile(server: ServerProcess, name: str) -> httpx.Response:
    body = {"type": "user", "name": name, "description": TICKET_BODY}
    return server.http.post("/api/profiles", json=body)


@contextmanager
def mounted(kind: list[str], at: Path) -> Iterator[Path]:
    """A file system of its own; skips where this user may not mount."""
    at.mkdir(exist_ok=True)
    made = subprocess.run(["mount", *kind, str(at)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"this user may not mount: {made.stderr.strip()}")
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Permissions do not bind root, a read-only mount does."""
    if os.geteuid() != 0:
        folder.chmod(0o500)
        try:
            yield
        finally:
            folder.chmod(0o700)
    else:
        with mounted(["--bind", str(folder)], folder):
            subprocess.run(["mount", "-o", "remount,ro,bind", str(folder)], check=True)
            yield


def test_start_says_where_it_is_how_to_connect_and_that_nothing_leaves(
    server: ServerProcess,
) -> None:
    output = server.output

    assert f"Kombuse is ready at {server.url}\n" in output
    assert f"claude mcp add --transport http kombuse {server.url}/mcp" in output
    assert f"codex mcp add kombuse --url {server.url}/mcp" in output
    assert "no data leaves" in output
    assert f"A new database was made: {server.home / 'data.db'}" in output


def test_server_header_and_name_of_the_software_are_not_sent(server: ServerProcess) -> None:
    assert "server" not in server.http.get("/health").headers


def test_only_the_loopback_address_is_bound(server: ServerProcess) -> None:
    with pytest.raises(OSError), socket.create_connection(("127.0.0.2", server.port), timeout=2):
        pass


def test_sigterm_ends_it_with_code_0_and_takes_the_port_file_away(
    start_server: StartServer,
) -> None:
    server = start_server()
    assert (server.home / "server-port").read_text(encoding="ascii") == str(server.port)

    assert server.stop() == 0
    assert not (server.home / "server-port").exists()
    assert not (server.home / "data.db-wal").exists()


def test_sigint_ends_it_while_a_client_keeps_its_connection_and_another_waits(
    start_server: StartServer,
) -> None:
    server = start_server()
    server.http.get("/health")
    request = b"POST /api/profiles HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", server.port)) as half:
        half.sendall(request)
        os.kill(server.pid, signal.SIGINT)

        assert server.wait() == 0
    assert "ERROR" not in server.output


def test_browser_is_opened_at_the_address(tmp_path: Path, start_server: StartServer) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    os.mkfifo(opened)
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n', encoding="utf-8")
    browser.chmod(0o700)

    server = start_server(options=["--open"], env={"BROWSER": str(browser)})

    assert opened.read_text(encoding="utf-8") == f"{server.url}\n"


def test_plugins_left_out_are_named_with_the_reason_at_the_start(
    tmp_path: Path, start_server: StartServer
) -> None:
    server = start_server(env=install(tmp_path / "site", "broken", "import nowhere"))

    line = "Plugin broken is failed: ModuleNotFoundError: No module named 'nowhere'"
    assert [text.strip() for text in server.output.splitlines() if "broken" in text] == [line]


def test_plugin_whose_start_fails_ends_the_server_without_a_traceback(tmp_path: Path) -> None:
    code = "@hookimpl\ndef kombuse_startup(kernel):\n    raise RuntimeError('cannot start')\n"

    ended = serve(tmp_path / "home", env=install(tmp_path / "site", "broken", code))

    assert ended.returncode == 1
    first, second = ended.stderr.splitlines()
    assert first.endswith("plugin broken cannot start")
    assert second.startswith("error: RuntimeError: cannot start")


def test_taken_port_is_named_with_the_way_to_another(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]

        ended = serve(tmp_path / "home", port=port)

    assert ended.returncode == 4
    assert ended.stderr == (
        f"error: port {port} is taken: choose another with --port, or any free one with --port 0\n"
    )


def test_second_server_on_the_same_home_is_refused_and_the_first_goes_on(
    server: ServerProcess,
) -> None:
    ended = serve(server.home)

    assert ended.returncode == 4
    assert f"another server (process {server.pid}) uses {server.home} already" in ended.stderr
    assert server.http.get("/health").status_code == 200
    assert (server.home / "server-port").read_text(encoding="ascii") == str(server.port)


def test_second_server_on_the_same_database_from_another_home_is_refused(
    tmp_path: Path, start_server: StartServer
) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        home.mkdir(mode=0o700)
        config = f'{{"database": {{"path": "{tmp_path}/shared/data.db"}}}}'
        (home / CONFIG_FILE).write_text(config, encoding="utf-8")
    first = start_server(home=homes[0])

    ended = serve(homes[1])

    assert ended.returncode == 4
    assert f"another server (process {first.pid}) uses {tmp_path}/shared already" in ended.stderr


def test_kill_9_leaves_nothing_that_hinders_the_next_start(start_server: StartServer) -> None:
    first = start_server()
    assert create_profile(first, "survivor").status_code == 201
    first.kill()

    second = start_server(home=first.home)

    assert "survivor" in profiles(second)


@pytest.mark.parametrize("text", ['{"require_token": true', "[1]", "\xff"])
def test_a_configuration_that_does_not_parse_is_not_taken_for_none(
    tmp_path: Path, text: str
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    file = home / CONFIG_FILE
    file.write_text(text, encoding="latin-1")

    ended = serve(home)

    assert ended.returncode == 1
    assert f"error: {file}" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert file.read_text(encoding="latin-1") == text
    assert not (home / "data.db").exists()


def test_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    ended = serve(tmp_path / "file" / "home")

    assert ended.returncode == 5
    assert ended.stderr == f"error: {tmp_path}/file/home cannot be used: Not a directory\n"


def test_read_only_home_is_named_and_stays_as_it_is(home: Path) -> None:
    before = (home / "data.db").read_bytes()

    with read_only(home):
        ended = serve(home)

    assert ended.returncode == 5
    assert ended.stderr.startswith(f"error: {home}/server.lock cannot be used: ")
    assert (home / "data.db").read_bytes() == before


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: b"garbage!" * 12 + data[96:], id="header"),
        pytest.param(lambda data: data[: len(data) // 2], id="truncated"),
        pytest.param(lambda data: b"not a database", id="text"),
    ],
)
def test_damaged_database_stops_the_start_and_stays_as_it_is(
    home: Path, damage: Callable[[bytes], bytes]
) -> None:
    damaged = damage((home / "data.db").read_bytes())
    (home / "data.db").write_bytes(damaged)

    ended = serve(home)

    assert ended.returncode == 5
    assert ended.stderr.startswith(f"error: {home}/data.db cannot be used, and was not changed: ")
    assert "kombuse db restore" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert (home / "data.db").read_bytes() == damaged


def test_database_of_another_program_stays_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with sqlite3.connect(home / "data.db") as other:
        other.execute("CREATE TABLE migrations (id INTEGER PRIMARY KEY, name TEXT)")
    other.close()
    before = (home / "data.db").read_bytes()

    ended = serve(home)

    assert ended.returncode == 5
    assert "it was made by another program" in ended.stderr
    assert (home / "data.db").read_bytes() == before


def test_full_disk_refuses_writes_until_there_is_room_and_loses_nothing(
    tmp_path: Path, start_server: StartServer
) -> None:
    with mounted(["-t", "tmpfs", "-o", "size=3m", "tmpfs"], tmp_path / "small") as small:
        server = start_server(home=small / "home")
        filler = small / "filler"
        names = ["first"]
        assert create_profile(server, "first").status_code == 201
        filler.write_bytes(b"x" * (shutil.disk_usage(small).free - 16_384))

        answer = create_profile(server, "p0")
        while answer.status_code == 201:
            names.append(answer.json()["name"])
            answer = create_profile(server, f"p{len(names)}")

        assert answer.status_code == 507
        assert answer.json() == {"error": "The disk is full: nothing was changed"}
        assert set(names) <= set(profiles(server))
        filler.unlink()
        assert create_profile(server, "last").status_code == 201
        assert {*names, "last"} <= set(profiles(server))
        assert server.stop() == 0
        with sqlite3.connect(small / "home" / "data.db") as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()


def test_write_that_the_system_refuses_changes_nothing(start_server: StartServer) -> None:
    server = start_server()
    size = (server.home / "data.db-wal").stat().st_size
    limits = resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size + 8192, -1))

    refused = create_profile(server, "refused")

    assert refused.status_code == 507
    assert "refused" not in profiles(server)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)
    assert create_profile(server, "accepted").status_code == 201


def test_disk_that_is_full_at_the_start_is_named(tmp_path: Path) -> None:
    with mounted(["-t", "tmpfs", "-o", "size=64k", "tmpfs"], tmp_path / "small") as small:
        ended = serve(small / "home")

    assert ended.returncode == 5
    assert "is full: nothing was changed" in ended.stderr
