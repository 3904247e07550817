"""A home of its own for every test, so that nothing is written to the real one."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def user_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "user"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("CODEX_HOME", raising=False)
    return home


@pytest.fixture
def codex_config(user_home: Path) -> Path:
    """Where the user's Codex configuration is; the folder exists, the file does not."""
    (user_home / ".codex").mkdir()
    return user_home / ".codex" / "config.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a project."""
    made = tmp_path / "repo"
    made.mkdir(mode=0o755)
    return made
