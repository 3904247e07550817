"""`kombuse claude` against a real server."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.claude_files import ClaudeFiles
from tests.command_line import CommandLine

from kombuse_sdk.processes import ServerProcess

Start = Callable[..., ServerProcess]


@pytest.fixture
def files(tmp_path: Path) -> ClaudeFiles:
    return ClaudeFiles(tmp_path / "person")


@pytest.fixture
def cli(
    start_server: Start,
    command_line: Callable[[Path], CommandLine],
    files: ClaudeFiles,
    tmp_path: Path,
) -> CommandLine:
    server = start_server(env={"CLAUDE_CONFIG_DIR": str(files.root.parent)})
    return command_line(server.home)


def test_a_folder_is_found_imported_and_shown_with_its_sessions(
    cli: CommandLine, files: ClaudeFiles
) -> None:
    session_id = files.session("/srv/app", [files.user()])

    (found,) = cli.run("claude", "scan", "--json").json
    assert (found["path"], found["isImported"]) == ("/srv/app", False)
    assert "/srv/app" in cli.run("claude", "scan").out

    assert "app" in cli.run("claude", "import", "/srv/app").out
    assert cli.run("claude", "import", "/srv/app", "--json").json == []
    assert cli.run("claude", "scan", "--json").json[0]["isImported"] is True
    (listed,) = cli.run("claude", "sessions", "/srv/app", "--json").json
    assert listed["sessionId"] == session_id
    assert session_id in cli.run("claude", "sessions", "/srv/app").out


def test_an_import_of_an_unknown_folder_fails_with_the_reason(cli: CommandLine) -> None:
    ended = cli.run("claude", "import", "/no/such/folder")

    assert ended.code != 0
    assert "Neither an existing folder nor a project of Claude Code" in ended.err
