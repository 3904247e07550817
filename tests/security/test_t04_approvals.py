"""T4: an agent does not answer permission requests, nor change what is approved, for a person."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.command_line import CommandLine

from kombuse_plugins.permissions.rules import changes_rules
from kombuse_sdk.processes import ServerProcess
from kombuse_sdk.testing import CallTool
from kombuse_sdk.types import Kernel

ANSWER = "/api/permissions/chat-1/r1"


def test_no_tool_of_the_tracker_answers_requests(kernel: Kernel, call_tool: CallTool) -> None:
    tools = [tool.name for _, tool in kernel.offers("kombuse_mcp_tools")]

    assert not [name for name in tools if "permission" in name or "approv" in name]
    for arguments in ({}, {"method": "POST"}, {"params": {"_method": "POST"}}):
        assert call_tool("call_api", endpoint=ANSWER, **arguments).is_error


def test_reading_never_answers(client: TestClient) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = client.request(method, ANSWER)
        assert answer.status_code in (404, 405)


@pytest.mark.parametrize("command", ["allow", "deny"])
def test_a_program_that_an_agent_started_cannot_use_the_command_line_to_answer(
    server: ServerProcess,
    command_line: Callable[..., CommandLine],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
) -> None:
    shell = command_line(server.home)
    monkeypatch.setenv("KOMBUSE_PROCESS", "1")

    ended = shell.run("approvals", command, "r1")

    assert ended.code == 1
    assert "an agent cannot answer" in ended.err


@pytest.mark.parametrize(
    ("tool", "arguments", "is_guarded"),
    [
        ("Write", {"file_path": "{folder}/.kombuse/permissions.json"}, True),
        ("Write", {"file_path": ".kombuse/permissions.json"}, True),
        ("Edit", {"file_path": "x/../.KOMBUSE/Permissions.json"}, True),
        ("Edit", {"file_path": "elsewhere/.kombuse/permissions.json"}, True),
        ("Write", {"file_path": "link/permissions.json"}, True),
        ("Write", {"file_path": "{home}/permissions.json"}, True),
        ("Write", {"file_path": "{home}/config.json"}, True),
        ("NotebookEdit", {"notebook_path": "{home}/x.ipynb"}, True),
        ("mcp__files__write", {"path": "{home}/kombuse.db"}, True),
        ("Write", {"file_path": "\0"}, True),
        ("Write", {"file_path": "src/permissions.json"}, False),
        ("Write", {"file_path": "src/x.py"}, False),
        ("Write", {"file_path": 7}, False),
        ("Read", {"file_path": "{home}/permissions.json"}, False),
        ("Bash", {"command": "ls", "path": "{home}"}, False),
    ],
)
def test_files_that_hold_rules_are_never_written_without_asking(
    tmp_path: Path, tool: str, arguments: dict[str, Any], is_guarded: bool
) -> None:
    home, folder = tmp_path / "home", tmp_path / "folder"
    (folder / ".kombuse").mkdir(parents=True)
    (folder / "link").symlink_to(folder / ".kombuse")
    home.mkdir()
    given = {
        key: value.format(home=home, folder=folder) if isinstance(value, str) else value
        for key, value in arguments.items()
    }

    assert changes_rules(tool, given, home, str(folder)) is is_guarded
