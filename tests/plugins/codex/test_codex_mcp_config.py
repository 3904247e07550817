"""/api/codex/mcp: our server in the person's own Codex."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.mcp_clients import bridge_path, our_server
from kombuse_sdk.types import Kernel

PATH = "/api/codex/mcp"


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("CODEX_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    (tmp_path / "person" / ".codex").mkdir(parents=True)
    return tmp_path / "person" / ".codex" / "config.toml"


def put(client: TestClient, enabled: bool) -> Any:
    answer = client.put(PATH, json={"enabled": enabled})
    assert answer.status_code == 200, answer.text
    return answer.json()


def entry_in(path: Path) -> Any:
    return tomllib.loads(path.read_text(encoding="utf-8"))["mcp_servers"]["kombuse"]


def test_nothing_is_configured_at_first(client: TestClient, config: Path) -> None:
    assert client.get(PATH).json() == {
        "enabled": False,
        "configured": False,
        "config_path": str(config),
        "client_config_path": str(config),
        "url": None,
        "command": None,
        "args": [],
        "bridge_path": bridge_path(),
    }


def test_the_entry_is_written_below_what_is_there(
    kernel: Kernel, client: TestClient, config: Path
) -> None:
    before = '# mine\nmodel = "x" # my model\n\n[mcp_servers.other]\ncommand = "o"\n'
    config.write_text(before, encoding="utf-8")

    status = put(client, True)

    server = our_server(kernel).for_codex
    assert (status["enabled"], status["url"]) == (True, None)
    assert (status["command"], status["args"]) == (server["command"], server["args"])
    assert entry_in(config) == {**server, "enabled": True}
    assert config.read_text(encoding="utf-8").startswith(before)


def test_an_entry_that_was_there_is_only_switched(client: TestClient, config: Path) -> None:
    text = '[mcp_servers.kombuse] # mine\ncommand = "bridge"\nargs = ["-v"]\nenabled = true\n'
    config.write_text(text, encoding="utf-8")

    off = put(client, False)

    assert (off["enabled"], off["configured"], off["command"]) == (False, True, "bridge")
    assert config.read_text(encoding="utf-8") == text.replace("true", "false")
    put(client, True)
    assert config.read_text(encoding="utf-8") == text


def test_a_file_that_was_made_goes_again(client: TestClient, config: Path) -> None:
    put(client, True)

    assert put(client, False)["configured"] is False
    assert not config.exists()


def test_what_was_changed_meanwhile_stays(kernel: Kernel, client: TestClient, config: Path) -> None:
    put(client, True)
    config.write_text("# new\n" + config.read_text(encoding="utf-8"), encoding="utf-8")

    status = put(client, False)

    assert (status["enabled"], status["configured"]) == (False, True)
    assert config.read_text(encoding="utf-8").startswith("# new\n")
    assert entry_in(config) == {**our_server(kernel).for_codex, "enabled": False}


def test_an_older_entry_of_ours_is_brought_up_to_date(
    kernel: Kernel, client: TestClient, config: Path
) -> None:
    old = '[mcp_servers.kombuse]\nurl = "http://127.0.0.1:9/mcp"\nbearer_token_env_var = "X"\n'
    config.write_text(f"{old}startup_timeout_sec = 5 # slow\n", encoding="utf-8")

    put(client, True)

    server = our_server(kernel).for_codex
    assert entry_in(config) == {**server, "enabled": True, "startup_timeout_sec": 5}
    assert "startup_timeout_sec = 5 # slow\n" in config.read_text(encoding="utf-8")


def test_a_switch_says_what_it_wants(client: TestClient) -> None:
    answer = client.put(PATH, json={})

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["enabled"]
