"""Removing plugins, and projects that have some."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.packages.conftest import Install, MakePackage, Rows

from kombuse_sdk.contracts import Agents, PackageFiles
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


def uninstall(client: TestClient, plugin: str, mode: str | None = None) -> None:
    answer = client.delete(f"/api/plugins/{plugin}", params={"mode": mode} if mode else {})
    assert (answer.status_code, answer.content) == (204, b"")


def agent_by(client: TestClient, slug: str, **query: str) -> Any:
    return client.get(f"/api/agents/by-slug/{slug}", params=query).json()


@pytest.fixture
def plugin(samples: Path, install: Install) -> str:
    plugin_id: str = install(samples / "02-triage-kit.tar.gz")["plugin_id"]
    return plugin_id


def test_by_default_everything_stays_without_the_plugin(
    client: TestClient, plugin: str, rows: Rows, project: Any
) -> None:
    before = rows()
    agent = agent_by(client, "triager", plugin_id=plugin)

    uninstall(client, plugin)

    after = rows()
    for kept in ("agents", "agent_triggers", "labels", "profiles"):
        assert after[kept] == before[kept]
    assert (after["plugins"], after["plugin_files"]) == (0, 0)
    left = client.get(f"/api/agents/{agent['id']}").json()
    assert (left["plugin_id"], left["plugin_base"]) == (None, agent["plugin_base"])
    assert client.get(f"/api/profiles/{agent['id']}").json()["plugin_id"] is None
    assert client.get(f"/api/plugins/{plugin}").status_code == 404


def test_delete_takes_the_agents_and_leaves_the_labels(
    client: TestClient, plugin: str, rows: Rows, project: Any
) -> None:
    agent = agent_by(client, "triager", plugin_id=plugin)
    labels = rows()["labels"]

    uninstall(client, plugin, "delete")

    after = rows()
    assert (after["agents"], after["agent_triggers"], after["labels"]) == (0, 0, labels)
    assert (after["plugins"], after["plugin_files"], after["orphaned_files"]) == (0, 0, 0)
    assert client.get(f"/api/profiles/{agent['id']}").json()["is_active"] is False
    listed = client.get(f"/api/projects/{project['id']}/labels").json()
    assert {label["plugin_id"] for label in listed} == {None}


@pytest.mark.parametrize("mode", ["orphan", "delete"])
def test_one_package_can_be_removed_from_every_project(
    mode: str, samples: Path, install: Install, client: TestClient, make: Factory, plugin: str
) -> None:
    other = install(samples / "02-triage-kit", project_id=make.project()["id"])["plugin_id"]

    uninstall(client, plugin, mode)
    uninstall(client, other, mode)

    assert client.get("/api/plugins").json() == []


@pytest.mark.parametrize("mode", ["orphan", "delete"])
def test_a_removal_is_an_event(mode: str, client: TestClient, plugin: str) -> None:
    uninstall(client, plugin, mode)

    (event,) = client.get("/api/events", params={"event_type": "plugin.uninstalled"}).json()

    assert json.loads(event["payload"]) == {
        "plugin_id": plugin,
        "plugin_name": "triage-kit",
        "mode": mode,
    }


@pytest.mark.parametrize("mode", ["", "keep", "DELETE"])
def test_another_mode_is_refused(mode: str, client: TestClient, plugin: str) -> None:
    answer = client.delete(f"/api/plugins/{plugin}", params={"mode": mode})

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["mode"]
    assert client.get(f"/api/plugins/{plugin}").status_code == 200


def test_orphaned_agents_still_find_the_files_of_their_package(
    client: TestClient, plugin: str, kernel: Kernel, rows: Rows
) -> None:
    agents = [agent_by(client, slug, plugin_id=plugin) for slug in ("triager", "scribe")]
    url = f"/api/plugins/{plugin}/files"
    (file,) = (f for f in client.get(url).json() if f["path"] == "preamble/shared.md")
    client.patch(f"{url}/{file['id']}", json={"content": "mine"})

    uninstall(client, plugin)

    with kernel.db.read() as tx:
        agent = tx.services.get(Agents).get(tx, agents[0]["id"])
        assert agent is not None
        assert (agent.plugin_id, agent.package_id) == (None, plugin)
        assert tx.services.get(PackageFiles).text(tx, plugin, "preamble/shared.md") == "mine"
    left = client.get(f"/api/agents/{agents[0]['id']}").json()
    assert left["resolved_preset"] == agents[0]["resolved_preset"]
    for number, agent in enumerate(agents, 1):
        assert rows()["orphaned_files"] == 2, f"before the agent {number} is deleted"
        assert client.delete(f"/api/agents/{agent['id']}").status_code == 204
    assert rows()["orphaned_files"] == 0


def test_files_without_an_agent_are_not_kept(
    samples: Path, install: Install, client: TestClient, rows: Rows
) -> None:
    plugin = install(samples / "06-files-only")["plugin_id"]

    uninstall(client, plugin)

    assert rows()["orphaned_files"] == 0


def test_after_orphaning_a_package_takes_its_own_up_again(
    samples: Path, install: Install, client: TestClient, plugin: str, rows: Rows
) -> None:
    agent = agent_by(client, "triager", plugin_id=plugin)
    uninstall(client, plugin)

    result = install(samples / "02-triage-kit")

    assert result["plugin_id"] != plugin
    counted = ("agents_created", "agents_updated", "labels_created", "labels_merged")
    assert tuple(result[name] for name in counted) == (0, 2, 0, 3)
    assert (result["triggers_created"], result["triggers_updated"]) == (0, 4)
    again = agent_by(client, "triager", plugin_id=result["plugin_id"])
    assert again["id"] == agent["id"]
    assert rows()["orphaned_files"] == 0


def test_after_deletion_the_agents_are_the_same_actors(
    samples: Path, install: Install, client: TestClient, plugin: str
) -> None:
    agent = agent_by(client, "triager", plugin_id=plugin)
    uninstall(client, plugin, "delete")

    result = install(samples / "02-triage-kit")

    assert result["agents_created"] == 2
    assert agent_by(client, "triager", plugin_id=result["plugin_id"])["id"] == agent["id"]
    assert client.get(f"/api/profiles/{agent['id']}").json()["is_active"] is True


@pytest.mark.parametrize("before", [None, "orphan", "delete"])
def test_a_deleted_project_takes_its_plugins_along(
    before: str | None,
    client: TestClient,
    project: Any,
    plugin: str,
    rows: Rows,
    kernel: Kernel,
) -> None:
    agent = agent_by(client, "triager", plugin_id=plugin)
    if before is not None:
        uninstall(client, plugin, before)

    assert client.delete(f"/api/projects/{project['id']}").status_code == 204

    after = rows()
    for table in ("plugins", "plugin_files", "orphaned_files", "agents", "agent_triggers"):
        assert after[table] == 0, table
    assert client.get(f"/api/profiles/{agent['id']}").json()["plugin_id"] is None
    with kernel.db.read() as tx:
        assert tx.all("PRAGMA foreign_key_check") == []


def test_the_folder_of_the_package_is_left_alone(
    make_package: MakePackage, install: Install, client: TestClient
) -> None:
    path = make_package(files={"files/a.md": "x"})

    uninstall(client, install(path)["plugin_id"], "delete")

    assert (path / "files/a.md").read_text("utf-8") == "x"
