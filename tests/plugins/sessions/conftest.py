"""A kernel whose agents do what a test scripts."""

from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin
from tests.plugins.sessions.fake_agents import Agents, FakeBackend, Heard, Record, Wire

from kombuse_sdk import Service
from kombuse_sdk.contracts import Live
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def other() -> FakeBackend:
    return FakeBackend(name="mock", session_id="mock-1")


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"disabled_plugins": ["realtime", "permissions", "backends", "codex", "claude_code"]}


@pytest.fixture
def plugins_under_test(backend: FakeBackend, other: FakeBackend, heard: Heard) -> list[object]:
    made: list[ModuleType] = [
        fake_plugin("fake-backend", agent_backends=lambda kernel: [backend, other]),
        fake_plugin("fake-live", services=lambda kernel: [Service(Live, heard)]),
    ]
    return list(made)


@pytest.fixture
def wire(kernel: Kernel) -> Wire:
    return Wire(kernel)


@pytest.fixture
def agents(client: TestClient) -> Agents:
    return Agents(client)


@pytest.fixture
def project(make: Factory) -> Any:
    return make.project()


@pytest.fixture
def record(client: TestClient) -> Record:
    return Record(client)
