"""Enabling and disabling plugins."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.packages.conftest import Install, MakePackage

from kombuse_sdk.testing import Factory


def states(client: TestClient, plugin: str, project: Any) -> dict[str, bool]:
    """What is enabled of all that a plugin brought."""
    found = {}
    for agent in client.get("/api/agents", params={"project_id": project["id"]}).json():
        if agent["plugin_id"] == plugin:
            found[agent["slug"]] = agent["is_enabled"]
            for trigger in client.get(f"/api/agents/{agent['id']}/triggers").json():
                found[f"{agent['slug']}/{trigger['slug']}"] = trigger["is_enabled"]
    for flag in (True, False):
        url = f"/api/projects/{project['id']}/labels"
        for label in client.get(url, params={"is_enabled": flag}).json():
            if label["plugin_id"] == plugin:
                found[f"label {label['name']}"] = flag
    return found


def test_disabling_takes_everything_out_and_enabling_brings_each_state_back(
    samples: Path, install: Install, client: TestClient, project: Any
) -> None:
    plugin = install(samples / "02-triage-kit")["plugin_id"]
    url = f"/api/plugins/{plugin}"
    before = states(client, plugin, project)
    assert before["scribe/ticket-created-2"] is False
    assert before["label Ready"] is True

    disabled = client.patch(url, json={"is_enabled": False})
    during = states(client, plugin, project)
    enabled = client.patch(url, json={"is_enabled": True})

    assert (disabled.status_code, disabled.json()["is_enabled"]) == (200, False)
    assert during.keys() == before.keys()
    assert set(during.values()) == {False}
    assert enabled.json()["is_enabled"] is True
    assert states(client, plugin, project) == before


def test_only_a_change_is_an_event(
    make_package: MakePackage, install: Install, client: TestClient
) -> None:
    plugin = install(make_package())["plugin_id"]
    url = f"/api/plugins/{plugin}"

    for body in ({}, {"is_enabled": True}, {"is_enabled": False}, {"is_enabled": False, "x": 1}):
        assert client.patch(url, json=body).status_code == 200
    unchanged = client.get(url).json()
    client.patch(url, json={"is_enabled": False})

    events = client.get("/api/events").json()
    switched = [e for e in events if e["event_type"] in ("plugin.enabled", "plugin.disabled")]
    assert [event["event_type"] for event in switched] == ["plugin.disabled"]
    assert json.loads(switched[0]["payload"]) == {"plugin_id": plugin, "plugin_name": "kit"}
    assert client.get(url).json() == unchanged


@pytest.mark.parametrize("value", [None, 1, "true", []])
def test_anything_but_a_boolean_is_refused(
    value: Any, make_package: MakePackage, install: Install, client: TestClient
) -> None:
    plugin = install(make_package())["plugin_id"]

    answer = client.patch(f"/api/plugins/{plugin}", json={"is_enabled": value})

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["is_enabled"]


def test_the_body_is_looked_at_before_the_plugin(client: TestClient) -> None:
    assert client.patch("/api/plugins/none", json={"is_enabled": 1}).status_code == 400
    assert client.patch("/api/plugins/none", json={"is_enabled": True}).status_code == 404


def test_new_parts_of_a_disabled_plugin_start_disabled(
    samples: Path, install: Install, client: TestClient, project: Any
) -> None:
    plugin = install(samples / "02-triage-kit")["plugin_id"]
    client.patch(f"/api/plugins/{plugin}", json={"is_enabled": False})

    install(samples / "03-triage-kit-upgrade", overwrite=True)
    during = states(client, plugin, project)
    client.patch(f"/api/plugins/{plugin}", json={"is_enabled": True})

    assert set(during.values()) == {False}
    after = states(client, plugin, project)
    assert after["label Escalated"] is True
    assert after["triager"] is True
    assert after["auditor"] is False


def test_a_disabled_plugin_is_listed(
    make_package: MakePackage, install: Install, client: TestClient, make: Factory
) -> None:
    plugin = install(make_package())["plugin_id"]
    client.patch(f"/api/plugins/{plugin}", json={"is_enabled": False})

    assert [found["is_enabled"] for found in client.get("/api/plugins").json()] == [False]
