"""/api/claude-code/mcp: our server in the person's own Claude Code."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_sdk import Service
from kombuse_sdk.contracts import Sessions
from kombuse_sdk.mcp_clients import bridge_path, our_server
from kombuse_sdk.types import Kernel

PATH = "/api/claude-code/mcp"


class Stopping:
    """The Sessions contract as far as it is needed here."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def stop_backend(self, backend_type: str) -> int:
        self.stopped.append(backend_type)
        return 2


@pytest.fixture
def stopping() -> Stopping:
    return Stopping()


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"disabled_plugins": ["sessions", "permissions", "realtime", "sync"]}


@pytest.fixture
def plugins_under_test(stopping: Stopping) -> list[object]:
    return [fake_plugin("stopping", services=lambda kernel: [Service(Sessions, stopping)])]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CLAUDE_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    (tmp_path / "person").mkdir()
    return tmp_path / "person"


@pytest.fixture
def entry(kernel: Kernel) -> dict[str, Any]:
    """What is written into both files."""
    return our_server(kernel).for_claude


@pytest.fixture
def settings(own_home: Path) -> Path:
    (own_home / ".claude").mkdir()
    return own_home / ".claude" / "settings.local.json"


@pytest.fixture
def client_file(own_home: Path) -> Path:
    return own_home / ".claude.json"


def put(client: TestClient, enabled: bool) -> Any:
    answer = client.put(PATH, json={"enabled": enabled})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_nothing_is_configured_at_first(client: TestClient, own_home: Path) -> None:
    assert client.get(PATH).json() == {
        "enabled": False,
        "configured": False,
        "config_path": str(own_home / ".claude" / "settings.local.json"),
        "client_config_path": str(own_home / ".claude.json"),
        "url": None,
        "command": None,
        "args": [],
        "bridge_path": bridge_path(),
    }
    assert list(own_home.iterdir()) == []


def test_enabling_writes_both_files(
    client: TestClient,
    settings: Path,
    client_file: Path,
    stopping: Stopping,
    entry: dict[str, Any],
    kombuse_home: Path,
) -> None:
    status = put(client, True)

    assert (status["enabled"], status["configured"], status["url"]) == (True, True, None)
    assert (status["command"], status["args"]) == (entry["command"], entry["args"])
    assert status["command"] == status["bridge_path"] and Path(status["command"]).is_absolute()
    assert status["args"] == ["mcp", "--home", str(kombuse_home)]
    assert status["stopped_sessions"] == 2 and stopping.stopped == ["claude-code"]
    for path in (settings, client_file):
        assert json.loads(path.read_bytes()) == {"mcpServers": {"kombuse": entry}}
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_sessions_are_stopped_only_on_a_change(client: TestClient, stopping: Stopping) -> None:
    assert put(client, False)["stopped_sessions"] == 0
    put(client, True)
    assert put(client, True)["stopped_sessions"] == 0
    assert stopping.stopped == ["claude-code"]


def test_files_that_were_made_go_again(client: TestClient, own_home: Path) -> None:
    put(client, True)
    status = put(client, False)

    assert (status["enabled"], status["configured"]) == (False, False)
    assert not (own_home / ".claude.json").exists()
    assert not (own_home / ".claude" / "settings.local.json").exists()


def test_what_was_changed_meanwhile_stays(client: TestClient, client_file: Path) -> None:
    client_file.write_text('{"a": 1}', encoding="utf-8")
    put(client, True)
    config = json.loads(client_file.read_bytes()) | {"numStartups": 7}
    client_file.write_text(json.dumps(config), encoding="utf-8")

    put(client, False)

    assert json.loads(client_file.read_bytes()) == {"a": 1, "mcpServers": {}, "numStartups": 7}


def test_a_server_that_is_started_by_a_command_is_left_alone(
    client: TestClient, settings: Path
) -> None:
    text = '{"mcpServers": {"kombuse": {"command": "bridge", "args": ["-v", 1]}}}'
    settings.write_text(text, encoding="utf-8")

    status = client.get(PATH).json()
    put(client, True)

    assert (status["enabled"], status["command"], status["args"]) == (True, "bridge", ["-v", "1"])
    assert settings.read_text(encoding="utf-8") == text


def test_an_entry_without_an_address_is_configured_but_not_enabled(
    client: TestClient, client_file: Path, entry: dict[str, Any]
) -> None:
    client_file.write_text('{"mcpServers": {"kombuse": {"env": {"A": "b"}}}}', encoding="utf-8")

    before = client.get(PATH).json()
    put(client, True)

    assert (before["enabled"], before["configured"]) == (False, True)
    written = json.loads(client_file.read_bytes())["mcpServers"]["kombuse"]
    assert written == {"env": {"A": "b"}, **entry}


@pytest.mark.parametrize(
    "old",
    [
        {"type": "http", "url": "http://127.0.0.1:9/mcp", "headers": {"Authorization": "x"}},
        {"type": "stdio", "command": "/gone/bin/kombuse", "args": ["mcp"]},
        {"command": "/gone/python", "args": ["-m", "kombuse_kernel.cli", "mcp", "--home", "x"]},
    ],
)
def test_an_older_entry_of_ours_is_brought_up_to_date(
    client: TestClient, client_file: Path, entry: dict[str, Any], old: dict[str, Any]
) -> None:
    client_file.write_text(json.dumps({"mcpServers": {"kombuse": old}}), encoding="utf-8")

    put(client, True)

    assert json.loads(client_file.read_bytes())["mcpServers"]["kombuse"] == entry


def test_a_server_elsewhere_is_left_alone(client: TestClient, client_file: Path) -> None:
    text = '{"mcpServers": {"kombuse": {"type": "http", "url": "https://kombuse.test/mcp"}}}'
    client_file.write_text(text, encoding="utf-8")

    put(client, True)

    assert client_file.read_text(encoding="utf-8") == text


def test_the_folder_of_claude_may_be_elsewhere(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "elsewhere"))

    status = put(client, True)

    assert status["config_path"] == str(tmp_path / "elsewhere" / "settings.local.json")
    assert status["client_config_path"] == str(tmp_path / "elsewhere" / ".claude.json")
    assert (tmp_path / "elsewhere" / ".claude.json").exists()


@pytest.mark.parametrize("body", [{}, {"enabled": "yes"}, {"enabled": None}, {"enabled": 1}])
def test_a_switch_says_what_it_wants(client: TestClient, body: dict[str, Any]) -> None:
    answer = client.put(PATH, json=body)

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["enabled"]
