"""Installing over an installed plugin: what is replaced, what stays, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.packages.conftest import Install, MakePackage, Rows

COUNTED = (
    *("agents_created", "agents_updated", "labels_created", "labels_merged"),
    *("triggers_created", "triggers_updated", "files_imported", "files_preserved"),
)


def counters(result: Any) -> tuple[int, ...]:
    return tuple(result[name] for name in COUNTED)


def agent_of(client: TestClient, plugin: str, slug: str) -> Any:
    answer = client.get(f"/api/agents/by-slug/{slug}", params={"plugin_id": plugin})
    assert answer.status_code == 200, answer.text
    return answer.json()


def labels_of(client: TestClient, project: Any) -> dict[str, Any]:
    listed = client.get(f"/api/projects/{project['id']}/labels").json()
    return {label["name"]: label for label in listed}


@pytest.mark.parametrize("form", ["", ".tar.gz"])
def test_the_same_version_again_updates_everything(
    form: str, samples: Path, install: Install
) -> None:
    path = samples / f"02-triage-kit{form}"
    first = install(path)

    again = install(path, overwrite=True)

    assert again["plugin_id"] == first["plugin_id"]
    assert counters(again) == (0, 2, 0, 3, 0, 4, 2, 0)
    assert again["warnings"] == []


@pytest.mark.parametrize("form", ["", ".tar.gz"])
def test_the_upgrade_of_the_sample(
    form: str, samples: Path, install: Install, client: TestClient, project: Any
) -> None:
    plugin = install(samples / f"02-triage-kit{form}")["plugin_id"]
    triager = agent_of(client, plugin, "triager")
    before = labels_of(client, project)

    result = install(samples / f"03-triage-kit-upgrade{form}", overwrite=True)

    assert result["plugin_id"] == plugin
    assert counters(result) == (1, 1, 1, 1, 2, 1, 2, 0)
    gone = ("agents_removed", "labels_orphaned", "files_removed")
    assert tuple(result[name] for name in gone) == (1, 2, 1)
    assert result["triggers_removed"] >= 1
    assert agent_of(client, plugin, "triager")["id"] == triager["id"]
    assert agent_of(client, plugin, "auditor")["is_enabled"] is False
    after = labels_of(client, project)
    assert after["Needs Triage"]["id"] == before["Needs Triage"]["id"]
    assert after["Needs Triage"]["color"] == "#b60205"
    assert after["Ready"]["plugin_id"] is None
    shown = client.get(f"/api/plugins/{plugin}").json()
    assert (shown["version"], shown["description"]) == ("2.0.0", "Sorts and escalates tickets")


def test_a_persons_trigger_and_settings_survive_the_upgrade(
    samples: Path, install: Install, client: TestClient
) -> None:
    plugin = install(samples / "02-triage-kit")["plugin_id"]
    agent = agent_of(client, plugin, "triager")
    url = f"/api/agents/{agent['id']}"
    own = client.post(f"{url}/triggers", json={"event_type": "ticket.closed", "slug": "mine"})
    client.patch(url, json={"config": agent["config"] | {"temperature": 0.9}})

    install(samples / "03-triage-kit-upgrade", overwrite=True)

    slugs = [trigger["slug"] for trigger in client.get(f"{url}/triggers").json()]
    assert own.json()["slug"] in slugs
    config = agent_of(client, plugin, "triager")["config"]
    assert config["temperature"] == 0.9
    assert config["max_chain_depth"] == 5
    assert config["model"] == "triager-model-2"


def test_what_the_person_decided_about_the_plugin_stays(
    make_package: MakePackage, install: Install, client: TestClient
) -> None:
    plugin = install(make_package(description="The first"))["plugin_id"]
    url = f"/api/plugins/{plugin}"
    before = client.patch(url, json={"is_enabled": False}).json()

    install(make_package(version="1.1.0"), overwrite=True)

    after = client.get(url).json()
    assert (after["is_enabled"], after["installed_at"]) == (False, before["installed_at"])
    assert (after["version"], after["description"]) == ("1.1.0", "The first")


def test_overwriting_nothing_installs(make_package: MakePackage, install: Install) -> None:
    assert install(make_package(), overwrite=True)["warnings"] == []


def test_an_update_is_an_event_with_both_versions(
    make_package: MakePackage, install: Install, client: TestClient
) -> None:
    plugin = install(make_package())["plugin_id"]

    install(make_package(version="1.2.0"), overwrite=True)

    (event,) = client.get("/api/events", params={"event_type": "plugin.updated"}).json()
    assert json.loads(event["payload"]) == {
        "plugin_id": plugin,
        "plugin_name": "kit",
        "version": "1.2.0",
        "from_version": "1.0.0",
    }


def test_another_author_is_refused_unless_it_is_allowed(
    make_package: MakePackage, install: Install, rows: Rows
) -> None:
    install(make_package(author="acme"))
    taken_over = make_package(author="mallory")
    before = rows()

    refused = install(taken_over, overwrite=True, status=409)

    assert refused["error"] == "author_mismatch"
    assert refused["details"] == {
        "plugin_name": "kit",
        "installed_author": "acme",
        "author": "mallory",
    }
    assert "allow_author_change: true" in refused["hint"]
    assert rows() == before
    assert install(make_package(), overwrite=True, status=409)["error"] == "author_mismatch"
    allowed = install(taken_over, overwrite=True, allow_author_change=True)
    assert allowed["warnings"] == ["The author was acme and is now mallory"]


def test_the_first_author_of_a_plugin_is_told_of(
    make_package: MakePackage, install: Install
) -> None:
    install(make_package())

    result = install(make_package(author="acme"), overwrite=True)

    assert result["warnings"] == ["The author was unknown and is now acme"]


def test_an_older_version_is_a_warning(make_package: MakePackage, install: Install) -> None:
    install(make_package(version="2.0.0"))

    result = install(make_package(version="1.9.0"), overwrite=True)

    assert result["warnings"] == ["Version 1.9.0 is older than 2.0.0, which was installed"]


def test_a_refused_upgrade_changes_nothing(
    samples: Path, install: Install, make_package: MakePackage, rows: Rows, client: TestClient
) -> None:
    plugin = install(samples / "02-triage-kit")["plugin_id"]
    before = (rows(), client.get(f"/api/plugins/{plugin}").json())
    bad = make_package(
        "triage-kit", {"agents/a.md": "---\nname: [\n---\nx\n"}, author="acme", version="3.0.0"
    )

    install(bad, overwrite=True, status=400)

    assert (rows(), client.get(f"/api/plugins/{plugin}").json()) == before


def test_a_dry_run_over_an_installed_plugin_changes_nothing(
    samples: Path, install: Install, rows: Rows, client: TestClient
) -> None:
    plugin = install(samples / "02-triage-kit")["plugin_id"]
    before = (rows(), client.get(f"/api/plugins/{plugin}").json())
    path = samples / "03-triage-kit-upgrade"

    tried = install(path, overwrite=True, dry_run=True, status=200)

    assert (rows(), client.get(f"/api/plugins/{plugin}").json()) == before
    done = install(path, overwrite=True)
    assert {key: tried[key] for key in done} == done
