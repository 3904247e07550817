"""The pytest plugin for plugin authors, used as they would use it."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_sdk import testing
from kombuse_sdk.testing import Factory, ticket_path
from kombuse_sdk.types import Kernel


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"disabled_plugins": ["labels"], "own": {"a": 1}}


@pytest.fixture
def plugins_under_test() -> list[object]:
    return [fake_plugin("mine")]


def test_the_plugins_under_test_are_loaded_and_the_config_is_read(
    kernel: Kernel, kombuse_home: Path
) -> None:
    states = {status.name: status.state for status in kernel.plugins}

    assert states["mine"] == "loaded"
    assert states["labels"] == "disabled"
    assert kernel.config.home == kombuse_home
    assert json.loads((kombuse_home / "config.json").read_text("utf-8"))["own"] == {"a": 1}


def test_the_kernel_is_started_and_seeded(kernel: Kernel) -> None:
    with kernel.db.read() as tx:
        assert tx.values("SELECT id FROM profiles ORDER BY id") == ["anonymous-agent", "user-1"]


def test_the_client_answers_faults_instead_of_raising(client: TestClient, kernel: Kernel) -> None:
    with kernel.db.write() as tx:
        tx.execute("ALTER TABLE profiles RENAME TO gone")

    assert client.get("/api/profiles").status_code == 500


def test_each_test_has_a_database_of_its_own_first(make: Factory) -> None:
    make.profile(id="only-one")


def test_each_test_has_a_database_of_its_own_second(make: Factory) -> None:
    make.profile(id="only-one")


def test_the_factory_fills_in_what_a_test_does_not_care_about(make: Factory) -> None:
    project = make.project()
    ticket = make.ticket(project, priority=2)
    comment = make.comment(ticket, body="hello")

    assert ticket["priority"] == 2
    assert ticket_path(ticket) == f"/api/projects/{project['id']}/tickets/by-number/1"
    assert (comment["ticket_id"], comment["body"]) == (ticket["id"], "hello")
    assert make.milestone(project)["project_id"] == project["id"]


def test_the_factory_fails_loudly_with_the_answer(make: Factory) -> None:
    with pytest.raises(AssertionError, match="name"):
        make.profile(name="")


def test_the_fixtures_are_what_the_module_lists() -> None:
    fixtures = {
        name
        for name, value in vars(testing).items()
        if type(value).__name__ == "FixtureFunctionDefinition"
    }

    assert {"client", "kernel", "make"} <= fixtures <= set(testing.__all__)
