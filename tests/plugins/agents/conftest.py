"""Runs by hand: a fake of the sessions, for tests of agents and their invocations."""

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.agent_runs import WITHOUT_SESSIONS, FakeSessions, Runs

from kombuse_sdk.types import Kernel


@pytest.fixture
def sessions() -> FakeSessions:
    return FakeSessions()


@pytest.fixture
def plugins_under_test(sessions: FakeSessions) -> list[object]:
    return [sessions.plugin()]


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return dict(WITHOUT_SESSIONS)


@pytest.fixture
def runs(kernel: Kernel, client: TestClient) -> Runs:
    return Runs(kernel, client)
