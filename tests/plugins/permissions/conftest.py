"""A kernel without live agents: what the permissions plugin needs of others is noted."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin
from tests.plugins.permissions.asking import Asking, Heard, Recorded

from kombuse_sdk import Service
from kombuse_sdk.contracts import Live, Sessions
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    others = ["sessions", "realtime", "sync", "backends", "codex", "claude_code"]
    return {"disabled_plugins": others}


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def plugins_under_test(heard: Heard, recorded: Recorded) -> list[object]:
    return [
        fake_plugin("fake-live", services=lambda kernel: [Service(Live, heard)]),
        fake_plugin("fake-sessions", services=lambda kernel: [Service(Sessions, recorded)]),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "repository"
    made.mkdir()
    return made


@pytest.fixture
def project(make: Factory, folder: Path) -> Any:
    return make.project(local_path=str(folder))


@pytest.fixture
def agent(client: TestClient) -> Any:
    body = {
        "name": "Ada",
        "description": "d",
        "system_prompt": "p",
        "config": {"type": "generic", "auto_approved_bash_commands_override": ["git status"]},
    }
    return client.post("/api/agents", json=body).json()


@pytest.fixture
def asking(kernel: Kernel, heard: Heard, recorded: Recorded) -> Asking:
    return Asking(kernel, heard, recorded)
