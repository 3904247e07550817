"""T31: edits of the person's agent configuration neither clobber it nor inject into it."""

import stat
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

JSON_FILES = [
    "{}",
    '{ "permissions" : {"allow":[ "Bash(ls)" ]},\n\t"a": "\\u00e9 é" }',
    '{"mcpServers": {}}',
    '{"mcpServers": {"other": {"command": "x"}}, "z": [1,2,  3]}',
    '{\r\n    "crlf": true\r\n}\r\n',
    "\ufeff{}",
]
TOML_FILES = [
    "",
    "# only a comment",
    'a = 1 # one\n\n\n[b] # two\nc = """\nx\n"""\n',
    'mcp_servers = { other = { command = "x" } }\n',
    '[mcp_servers.other]\ncommand = "x"\n# the end\n\n\n',
    "a = 1\r\n\r\n[b]\r\nc = 2\r\n",
    '[mcp_servers.kombuse]\nurl = "http://127.0.0.1:3331/mcp" # mine\nenabled = false\n',
]
PLACES = {
    "claude-code": (".claude.json", ".claude/settings.local.json"),
    "codex": (".codex/config.toml",),
}
CASES = [
    (backend, place, text)
    for backend, texts in (("claude-code", JSON_FILES), ("codex", TOML_FILES))
    for place in PLACES[backend]
    for text in texts
]
BROKEN = [
    ("claude-code", ".claude.json", '{"a": 1} // mine'),
    ("claude-code", ".claude/settings.local.json", '{"a": 1,}'),
    ("claude-code", ".claude.json", "[1]"),
    ("claude-code", ".claude.json", '{"a": 1, "a": 2}'),
    ("claude-code", ".claude/settings.local.json", '{"mcpServers": []}'),
    ("claude-code", ".claude.json", '{"mcpServers": []}'),
    ("codex", ".codex/config.toml", "a = \n"),
    ("codex", ".codex/config.toml", "a = 1\na = 2\n"),
    ("codex", ".codex/config.toml", "mcp_servers = 3\n"),
]


@pytest.fixture(autouse=True)
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CLAUDE_HOME", "CLAUDE_CONFIG_DIR", "CODEX_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    return tmp_path / "person"


def written(path: Path, text: str) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return text.encode()


def switch(client: TestClient, backend: str, enabled: bool) -> Any:
    return client.put(f"/api/{backend}/mcp", json={"enabled": enabled})


@pytest.mark.parametrize(("backend", "place", "text"), CASES)
def test_enabling_and_disabling_leaves_the_file_as_it_was(
    client: TestClient, person: Path, backend: str, place: str, text: str
) -> None:
    path = person / place
    before = written(path, text)
    path.chmod(0o640)

    assert switch(client, backend, True).json()["enabled"] is True
    assert b"kombuse" in path.read_bytes()
    assert switch(client, backend, False).json()["enabled"] is False

    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [other.name for other in path.parent.iterdir() if "tmp" in other.name] == []


@pytest.mark.parametrize(("backend", "place", "text"), BROKEN)
def test_a_file_that_cannot_be_edited_is_left_alone(
    client: TestClient, person: Path, backend: str, place: str, text: str
) -> None:
    path = person / place
    before = written(path, text)

    answer = switch(client, backend, True)

    assert answer.status_code == 409, answer.text
    assert "left as it is" in answer.json()["error"] or "left as it was" in answer.json()["error"]
    assert path.read_bytes() == before
    others = {person / other for other in PLACES[backend]} - {path}
    assert [other for other in others if other.exists()] == []


def test_the_former_file_is_kept_as_a_private_backup(
    client: TestClient, person: Path, kombuse_home: Path
) -> None:
    before = written(person / ".codex/config.toml", "secret = 1\n")

    switch(client, "codex", True)

    (backup,) = (kombuse_home / "config-backups").iterdir()
    assert backup.read_bytes() == before
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_link_stays_a_link(client: TestClient, person: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "config.toml"
    before = written(real, "a = 1\n")
    (person / ".codex").mkdir(parents=True)
    (person / ".codex/config.toml").symlink_to(real)

    switch(client, "codex", True)
    assert b"kombuse" in real.read_bytes()
    switch(client, "codex", False)

    assert (person / ".codex/config.toml").is_symlink() and real.read_bytes() == before
