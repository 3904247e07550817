"""A person's home with session files of Claude Code."""

from pathlib import Path

import pytest
from tests.claude_files import ClaudeFiles


@pytest.fixture
def claude_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClaudeFiles:
    for name in ("CLAUDE_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    return ClaudeFiles(tmp_path / "person")
