"""T15: no name becomes a path, or escapes from the folder where files of its kind are."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_kernel.plugins import PluginHost
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import PluginSource

NAMES = [
    "../x",
    "..",
    ".",
    "a/b",
    "/etc/passwd",
    "a\\b",
    "C:\\x",
    "CON",
    "nul.txt",
    "a" * 300,
    "",
    " ",
    "a\x00b",
    "a\nb",
    "․․/x",  # one dot leaders, which some systems fold into two dots
    "‥",
    "ａ",
    "x:y",
    "-rf",
    "~",
    "$HOME",
    "%2e%2e%2f",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_plugin_of_such_a_name_is_left_out(name: str) -> None:
    plugin = fake_plugin(name)

    host = PluginHost([PluginSource("entry", "test", lambda: plugin)])

    (status,) = host.statuses
    assert status.state == "failed"
    assert "is no plugin name" in (status.reason or "")


@pytest.mark.parametrize("name", ["tickets", "my-plugin", "my_plugin2", "a", "a" * 64])
def test_a_plain_name_is_taken(name: str) -> None:
    plugin = fake_plugin(name)

    host = PluginHost([PluginSource("entry", "test", lambda: plugin)])

    assert [status.state for status in host.statuses] == ["loaded"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_projects_and_labels_are_text_and_leave_no_file(
    client: TestClient, make: Factory, kombuse_home: Path, tmp_path: Path, name: str
) -> None:
    before = sorted(path.name for path in tmp_path.iterdir())
    project = make.project()

    answers = [
        client.post("/api/projects", json={"name": name, "owner_id": "user-1"}),
        client.post(f"/api/projects/{project['id']}/labels", json={"name": name}),
        client.post("/api/profiles", json={"type": "user", "name": "x", "id": name}),
        client.put(
            "/api/profile-settings",
            json={"profile_id": "user-1", "setting_key": name, "setting_value": name},
        ),
    ]

    assert all(answer.status_code in (200, 201, 400, 409) for answer in answers)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert {path.name for path in kombuse_home.iterdir()} <= {
        "config.json",
        "data.db",
        "data.db-shm",
        "data.db-wal",
        "uploads",
    }


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/passwd", "a" * 300])
def test_an_id_never_holds_a_slash(client: TestClient, name: str) -> None:
    answer = client.post("/api/profiles", json={"type": "user", "name": "x", "id": name})

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["id"]
