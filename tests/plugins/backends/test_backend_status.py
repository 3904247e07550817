"""/api/backend-status and /api/models."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_sdk.agents import BackendStatus, Model, ModelCatalogue

MOCK = {
    "backendType": "mock",
    "available": True,
    "version": None,
    "path": None,
    "meetsMinimum": True,
    "minimumVersion": None,
    "nodeVersion": None,
    "meetsNodeMinimum": True,
    "minimumNodeVersion": None,
    "hint": None,
}


class Counting:
    """A backend that counts how often its state is asked, and may fail at it."""

    name = "counting"

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self.fails = False

    async def open(self, options: Any) -> Any:
        raise NotImplementedError

    async def status(self, project_id: str | None = None) -> BackendStatus:
        self.asked.append(project_id)
        if self.fails:
            raise RuntimeError("broken")
        return BackendStatus(available=True, version=f"1.0.{len(self.asked)}")

    async def models(self) -> ModelCatalogue:
        if self.fails:
            raise RuntimeError("broken")
        models = [Model(id="a", name="A", description="first"), Model(id="b", name="B")]
        return ModelCatalogue(supports_selection=True, models=models, default_model_id="b")


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def plugins_under_test(counting: Counting) -> list[object]:
    return [fake_plugin("counting", agent_backends=lambda kernel: [counting])]


@pytest.fixture
def kombuse_config(tmp_path: Path) -> dict[str, Any]:
    """No program of this machine is looked at."""
    absent = str(tmp_path / "absent")
    return {"binaries": {"claude": absent, "codex": absent}}


def state(client: TestClient, name: str = "counting", **query: str) -> Any:
    answer = client.get("/api/backend-status", params=query)
    assert answer.status_code == 200, answer.text
    (found,) = [item for item in answer.json() if item["backendType"] == name]
    return found


def put_setting(client: TestClient, key: str, value: str) -> None:
    body = {"profile_id": "user-1", "setting_key": key, "setting_value": value}
    assert client.put("/api/profile-settings", json=body).status_code == 200


def program(path: Path, version: str) -> str:
    path.write_text(f"#!/bin/sh\necho '{version} (a program)'\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_every_backend_is_listed_by_name(client: TestClient) -> None:
    names = [item["backendType"] for item in client.get("/api/backend-status").json()]

    assert names == ["claude-code", "codex", "counting", "mock"]


def test_the_mock_is_always_there(client: TestClient) -> None:
    assert state(client, "mock") == MOCK


def test_a_missing_program_is_told_with_how_to_install_it(client: TestClient) -> None:
    for name in ("claude-code", "codex"):
        found = state(client, name)
        assert (found["available"], found["meetsMinimum"]) == (False, False)
        assert found["version"] is None and found["path"] is None
        assert "Install" in found["hint"]


def test_states_are_kept(client: TestClient, counting: Counting) -> None:
    assert state(client) == state(client)
    assert len(counting.asked) == 1


def test_a_refresh_asks_again(client: TestClient, counting: Counting) -> None:
    state(client)

    answer = client.post("/api/backend-status/refresh")

    assert answer.status_code == 200
    assert "1.0.2" in answer.text and state(client)["version"] == "1.0.2"


def test_a_changed_binary_setting_counts_at_once(
    client: TestClient, counting: Counting, tmp_path: Path
) -> None:
    assert state(client, "codex")["available"] is False

    put_setting(client, "binaries.codex", program(tmp_path / "codex", "0.163.0"))

    found = state(client, "codex")
    assert (found["available"], found["version"]) == (True, "0.163.0")
    assert found["path"] == str(tmp_path / "codex")
    put_setting(client, "chat.default_model", "x")
    state(client)
    assert len(counting.asked) == 2


def test_a_project_may_have_binaries_of_its_own(
    client: TestClient, counting: Counting, tmp_path: Path
) -> None:
    project = client.post("/api/projects", json={"name": "P", "owner_id": "user-1"}).json()
    key = f"binaries.codex.{project['id']}"
    put_setting(client, key, program(tmp_path / "codex", "0.163.0"))

    assert state(client, "codex", projectId=project["slug"])["available"] is True
    assert state(client, "codex", projectId="no-such-project")["available"] is False
    assert state(client, "codex")["available"] is False
    assert counting.asked == [project["id"], "no-such-project", None]


@pytest.mark.parametrize(
    ("version", "meets"),
    [
        ("0.99.9", False),
        ("0.100.0", True),
        ("1.0.0", True),
        ("0.163.0-alpha.1", False),
        ("no version", True),
    ],
)
def test_a_program_that_is_too_old_is_told(
    client: TestClient, tmp_path: Path, version: str, meets: bool
) -> None:
    put_setting(client, "binaries.codex", program(tmp_path / "codex", version))

    found = state(client, "codex")

    assert (found["available"], found["meetsMinimum"]) == (True, meets)
    assert found["minimumVersion"] == "0.100.0"
    assert ("0.100.0 or later" in (found["hint"] or "")) is not meets


def test_a_backend_that_fails_does_not_hide_the_others(
    client: TestClient, counting: Counting
) -> None:
    counting.fails = True

    assert state(client)["available"] is False
    assert state(client, "mock") == MOCK
    catalogue = client.get("/api/models", params={"backend_type": "counting"}).json()
    assert catalogue["models"] == []


def test_states_are_asked_in_parallel(client: TestClient, counting: Counting, kernel: Any) -> None:
    """Each waits for the other, which only works side by side."""
    barrier = asyncio.Barrier(2)
    mock = next(v for _, v in kernel.offers("kombuse_agent_backends") if v.name == "mock")

    async def met(project_id: str | None = None) -> BackendStatus:
        await barrier.wait()
        return BackendStatus(available=True)

    counting.status = mock.status = met  # type: ignore[method-assign]

    assert state(client)["available"] is True


def test_models_of_one_backend(client: TestClient) -> None:
    answer = client.get("/api/models", params={"backend_type": "counting"})

    assert answer.json() == {
        "backend_type": "counting",
        "supports_model_selection": True,
        "models": [{"id": "a", "name": "A", "description": "first"}, {"id": "b", "name": "B"}],
        "default_model_id": "b",
    }


def test_models_of_all_backends(client: TestClient) -> None:
    catalogues = client.get("/api/models").json()

    assert [item["backend_type"] for item in catalogues] == [
        "claude-code",
        "codex",
        "counting",
        "mock",
    ]
    claude, codex, _, mock = catalogues
    assert claude["default_model_id"] == claude["models"][0]["id"] == "claude-opus-4-6"
    assert codex["models"] == mock["models"] == []
    assert "default_model_id" not in codex and mock["supports_model_selection"] is False


def test_an_unknown_backend_has_no_models(client: TestClient) -> None:
    answer = client.get("/api/models", params={"backend_type": "gpt"})

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["backend_type"]
