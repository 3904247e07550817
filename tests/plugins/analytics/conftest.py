"""A project with a past, and its reports."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.analytics.past import Past

from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

MARCH = {"from": "2025-03-01", "to": "2025-03-31"}


@pytest.fixture
def project(make: Factory) -> Any:
    return make.project()


@pytest.fixture
def past(kernel: Kernel, project: Any) -> Past:
    return Past(kernel, project["id"])


@pytest.fixture
def report(client: TestClient, project: Any) -> Callable[..., Any]:
    """`report(name, **query)` of March 2025, in which the past of these tests is."""

    def get(name: str, **query: Any) -> Any:
        given = {"project_id": project["id"], **MARCH} | query
        answer = client.get(f"/api/analytics/{name}", params=given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get


@pytest.fixture
def agent(client: TestClient) -> Callable[[str], str]:
    """Makes an agent of this name; its id."""

    def make_agent(name: str) -> str:
        body = {"name": name, "description": "x", "system_prompt": "x"}
        answer = client.post("/api/agents", json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    return make_agent
