"""Updates for real: a server's from our own registry, the command line's by pip from an index."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import StartServer
from tests.e2e.distributions import application, environment_of, wheel
from tests.registry.stand_in_feed import Reply, StandIn, serving
from tests.sockets import open_socket

from kombuse_registry.client import RegistryClient
from kombuse_sdk.processes import ServerProcess, command, environment

_SECONDS = 60


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def index() -> Iterator[StandIn]:
    with serving() as server:
        yield server


def configure(home: Path, **settings: Any) -> None:
    values = {"updates": {"enabled": True, "auto_check_hours": 0} | settings}
    (home / "config.json").write_text(json.dumps(values), encoding="utf-8")


def run(home: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Any:
    """What a command says in JSON; `code` is its exit code."""
    ended = subprocess.run(
        command(*arguments, "--json"),
        env=environment(home, env),
        cwd=home,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    try:
        return {"code": ended.returncode, "said": ended.stderr} | json.loads(ended.stdout)
    except ValueError:
        return {"code": ended.returncode, "said": ended.stderr}


@contextmanager
def registry(home: Path) -> Iterator[tuple[str, RegistryClient, str]]:
    """Our own registry: its address, a client that may publish, and its public key."""
    made = run(home, "registry", "init")
    token = run(
        home,
        *("registry", "token", "create", "--account", "admin", "--package", "kombuse/*"),
        *("--scope", "publish:new", "--scope", "publish:update", "--scope", "read"),
    )
    process = subprocess.Popen(
        command("registry", "serve", "--port", "0"),
        env=environment(home),
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        ready = re.search(r"http://\S+", line)
        assert ready is not None, (made, line)
        client = RegistryClient(ready[0], token=token["token"])
        keys = client.keys()
        (key,) = [key for key in keys if key["usage"] == "registry"]
        yield ready[0], client, key["public_key"]
    finally:
        process.terminate()
        process.communicate(timeout=_SECONDS)


def running_program(server: ServerProcess) -> str:
    return Path(f"/proc/{server.pid}/cmdline").read_bytes().decode().replace("\0", " ")


def test_a_server_is_updated_from_our_registry_and_taken_back(
    tmp_path: Path, home: Path, start_server: StartServer
) -> None:
    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as (url, client, key):
        configure(home, registry_url=url, public_keys=[key])
        archive = application(tmp_path, "0.9.0")
        client.publish(archive, name="kombuse/kombuse", version="0.9.0", release_notes="Better")
        server = start_server(home)
        with open_socket(server) as socket:
            socket.subscribe("updates")
            found = server.http.post("/api/updates/check").json()
            assert found["updateInfo"]["version"] == "0.9.0", found
            assert found["updateInfo"]["releaseNotes"] == "Better"
            installed = server.http.post("/api/updates/install")
            assert installed.json() == {"success": True}
            told = [message["status"]["state"] for message in socket.rest()]
        assert list(dict.fromkeys(told)) == [
            *("idle", "checking", "available", "downloading", "verifying", "ready")
        ]
        assert "v0.9.0" not in running_program(server)
        server.stop()

    server = start_server(home)
    assert f"{home}/packages/v0.9.0/server serve" in running_program(server)
    assert server.http.get("/api/updates/status").json()["currentVersion"] == "0.9.0"
    assert server.http.get("/openapi.json").json()["info"]["version"] == "0.9.0"
    server.stop()

    back = run(home, "update", "app", "--rollback")
    assert (back["code"], back["app"]["outcome"]) == (0, "former"), back
    server = start_server(home)
    assert "packages" not in running_program(server)
    assert run(home, "update", "app", "--rollback")["code"] == 1


def test_a_registry_that_signs_with_another_key_is_not_believed(tmp_path: Path, home: Path) -> None:
    from kombuse_registry.signing import PrivateKey

    (tmp_path / "registry").mkdir()
    with registry(tmp_path / "registry") as (url, client, _):
        configure(home, registry_url=url, public_keys=[PrivateKey.generate().public_text])
        archive = application(tmp_path, "0.9.0")
        client.publish(archive, name="kombuse/kombuse", version="0.9.0")

        updated = run(home, "update", "app")

    assert (updated["code"], updated["app"]["outcome"]) == (1, "failed")
    assert "is not signed by a known key" in updated["app"]["error"]
    assert not (home / "packages" / "current").is_symlink()


class Scratch:
    """A virtual environment in which pip has installed a release, and an index with others."""

    def __init__(self, folder: Path, home: Path, index: StandIn) -> None:
        self.folder = folder
        self.home = home
        self.index = index
        self.python = environment_of(folder / "venv")
        self._offered: dict[str, str] = {}
        self.offer("0.1.0")
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "kombuse==0.1.0"]
        subprocess.run(pip, env=self.environment, check=True, timeout=_SECONDS)

    @property
    def environment(self) -> dict[str, str]:
        """pip asks our index alone."""
        settings = {
            "PIP_INDEX_URL": f"{self.index.url}/simple/",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_CACHE_DIR": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
        return environment(self.home, settings)

    def offer(
        self,
        version: str,
        *,
        checksum: str | None = None,
        change: Callable[[bytes], Reply] = lambda data: Reply(body=data),
        broken: bool = False,
    ) -> None:
        data = wheel(self.folder, version, broken=broken).read_bytes()
        name = f"kombuse-{version}-py3-none-any.whl"
        digest = checksum or hashlib.sha256(data).hexdigest()
        self._offered[version] = f'<a href="/files/{name}#sha256={digest}">{name}</a>'
        page = "<!DOCTYPE html><html><body>" + "".join(self._offered.values()) + "</body></html>"
        html = {"Content-Type": "text/html"}
        self.index.answers["/simple/kombuse/"] = Reply(body=page.encode(), headers=html)
        self.index.answers[f"/files/{name}"] = change(data)

    def update(self, *options: str) -> Any:
        """What `kombuse update shell` says of the command line."""
        ended = subprocess.run(
            [self.python.parent / "kombuse", "update", "shell", "--json", *options],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert ended.stdout, ended.stderr
        return json.loads(ended.stdout)["shell"] | {"code": ended.returncode}

    @property
    def version(self) -> str:
        """What the installed program says."""
        ended = subprocess.run(
            [self.python.parent / "kombuse", "--version"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
        return ended.stdout.split()[-1]


@pytest.fixture
def scratch(tmp_path: Path, home: Path, index: StandIn) -> Scratch:
    configure(home)
    return Scratch(tmp_path, home, index)


def test_the_command_line_is_updated_by_pip_and_taken_back(scratch: Scratch) -> None:
    assert scratch.update("--check")["outcome"] == "newest"
    scratch.offer("0.2.0")
    scratch.offer("0.3.0rc1")
    found = scratch.update("--check")
    assert (found["outcome"], found["updateInfo"]["version"]) == ("available", "0.2.0"), found
    assert scratch.version == "0.1.0"

    updated = scratch.update()

    assert (updated["code"], updated["outcome"], updated["currentVersion"]) == (
        *(0, "installed", "0.2.0"),
    ), updated
    assert scratch.version == "0.2.0"

    asked = len(scratch.index.asked)
    back = scratch.update("--rollback")
    assert (back["code"], back["outcome"], back["currentVersion"]) == (0, "former", "0.1.0"), back
    assert scratch.version == "0.1.0"
    assert len(scratch.index.asked) == asked
    assert scratch.update("--rollback")["error"] == "No previous version"


@pytest.mark.parametrize(
    ("offered", "text"),
    [
        ({"checksum": "0" * 64}, "HASH"),
        ({"change": lambda data: Reply(body=data[: len(data) // 2], length=len(data))}, ""),
        ({"change": lambda data: Reply(status=404)}, "404"),
        ({"change": lambda data: Reply(body=b"no wheel")}, "HASH"),
        ({"broken": True}, "does not start as 0.2.0"),
    ],
)
def test_a_failed_update_of_the_command_line_leaves_the_former_one(
    scratch: Scratch, offered: dict[str, Any], text: str
) -> None:
    scratch.offer("0.2.0", **offered)

    updated = scratch.update()

    assert (updated["code"], updated["outcome"]) == (1, "failed")
    assert text in updated["error"]
    assert updated["currentVersion"] == "0.1.0"
    assert scratch.version == "0.1.0"


def test_without_an_index_the_state_is_clear(scratch: Scratch) -> None:
    scratch.index.answers["/simple/kombuse/"] = Reply(status=500)

    checked = scratch.update("--check")

    assert (checked["code"], checked["outcome"]) == (1, "failed")
    assert checked["error"].startswith("Update check failed: ")


def test_a_running_server_updates_the_command_line_it_was_started_by(
    scratch: Scratch, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch.offer("0.2.0")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(scratch.python))
        server = start_server(scratch.home, env=scratch.environment)
    status = server.http.get("/api/shell-updates/status").json()
    assert (status["state"], status["currentVersion"]) == ("idle", "0.1.0")
    assert server.http.post("/api/shell-updates/check").json()["hasUpdate"] is True

    with open_socket(server) as socket:
        socket.subscribe("shell-updates")
        answer = server.http.post("/api/shell-updates/install?wait=false")
        assert (answer.status_code, answer.json()["state"]) == (202, "downloading")
        told = [socket.receive()["status"]]
        while told[-1]["state"] not in ("ready", "error"):
            told.append(socket.receive()["status"])

    assert [status["state"] for status in told if status["state"] != "downloading"] == [
        *("available", "verifying", "ready")
    ]
    assert told[-1]["currentVersion"] == "0.2.0"
    assert scratch.version == "0.2.0"
    answer = server.http.post("/api/shell-updates/rollback")
    assert answer.json() == {"success": True, "currentVersion": "0.1.0"}
    assert scratch.version == "0.1.0"


def test_updates_that_are_switched_off_ask_nobody(scratch: Scratch) -> None:
    configure(scratch.home, enabled=False)
    asked = len(scratch.index.asked)
    scratch.offer("0.2.0")

    ended = subprocess.run(
        [scratch.python.parent / "kombuse", "update"],
        env=scratch.environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )

    assert (ended.returncode, "updates are switched off" in ended.stderr) == (1, True)
    assert len(scratch.index.asked) == asked
