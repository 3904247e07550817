"""Which MCP server an agent's Codex is told to use, whatever the configuration files say."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kombuse_plugins.codex.backend import _overrides
from kombuse_sdk.agents import RunOptions
from kombuse_sdk.mcp_clients import Bridge

BRIDGE = Bridge(("/opt/bin/kombuse", "mcp", "--home", "/data"))
URL = "http://127.0.0.1:4000/mcp"
AS_COMMAND = [
    'mcp_servers.kombuse.command="/opt/bin/kombuse"',
    'mcp_servers.kombuse.args=["mcp", "--home", "/data"]',
    'mcp_servers.kombuse.env_vars=["KOMBUSE_TOKEN"]',
    "mcp_servers.kombuse.enabled=true",
]
AS_ADDRESS = [f"mcp_servers.kombuse.url={json.dumps(URL)}", "mcp_servers.kombuse.enabled=true"]
OURS = 'command = "/old/bin/kombuse"\nargs = ["mcp"]\nenabled = true\n'


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunOptions:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex"))
    (tmp_path / "codex").mkdir()
    (tmp_path / "project" / ".codex").mkdir(parents=True)
    return RunOptions(**_required(tmp_path / "project"))


def _required(folder: Path) -> dict[str, Any]:
    async def ask(*_: Any) -> Any:
        raise AssertionError("nothing is asked here")

    return {"session_id": "s", "cwd": folder, "ask": ask, "mcp_url": URL}


def configure(options: RunOptions, place: str, entry: str) -> None:
    own = options.cwd.parent / "codex" if place == "person" else options.cwd / ".codex"
    (own / "config.toml").write_text(f"[mcp_servers.kombuse]\n{entry}", encoding="utf-8")


def test_without_an_entry_it_is_the_address(options: RunOptions) -> None:
    assert _overrides(options, BRIDGE) == AS_ADDRESS
    assert _overrides(replace(options, mcp_url=None), BRIDGE) == []


@pytest.mark.parametrize("place", ["person", "project"])
def test_an_entry_of_ours_leads_to_this_server(options: RunOptions, place: str) -> None:
    configure(options, place, OURS)

    assert _overrides(options, BRIDGE) == AS_COMMAND


@pytest.mark.parametrize("place", ["person", "project"])
def test_an_entry_that_is_switched_off_stays_off(options: RunOptions, place: str) -> None:
    configure(options, place, OURS.replace("true", "false"))

    assert _overrides(options, BRIDGE) == ["mcp_servers.kombuse.enabled=false"]


def test_an_entry_of_the_person_s_own_stays(options: RunOptions) -> None:
    configure(options, "person", 'command = "docker"\nargs = ["run", "kombuse"]\n')

    assert _overrides(options, BRIDGE) == []


def test_an_entry_with_an_address_gets_the_right_one(options: RunOptions) -> None:
    configure(options, "person", 'url = "http://127.0.0.1:1/mcp"\n')

    assert _overrides(options, BRIDGE) == AS_ADDRESS
