"""T15: no name becomes a path, or escapes from the folder where files of its kind are."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_kernel.plugins import PluginHost
from kombuse_registry import names, versions
from kombuse_registry.errors import InvalidPackage
from kombuse_registry.manifest import PluginManifest
from kombuse_registry.paths import file_name_problem
from kombuse_sdk.errors import BadRequest
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


@pytest.mark.parametrize("name", NAMES)
def test_no_package_author_or_channel_has_such_a_name(name: str) -> None:
    for is_name in (names.is_package, names.is_author, names.is_channel):
        assert not is_name(name)
    for check in (names.check_package, names.check_author, names.check_channel):
        with pytest.raises(BadRequest, match="Invalid "):
            check(name)
    for compound in (f"acme/{name}", f"{name}/kit", f"acme/kit/{name}"):
        with pytest.raises(BadRequest):
            names.check_name(compound)


@pytest.mark.parametrize("name", NAMES)
def test_no_manifest_has_such_a_name_or_version(name: str) -> None:
    table = {"plugin_system_version": "kombuse-plugin-v1"}
    with pytest.raises(InvalidPackage):
        PluginManifest.from_dict({"name": name, "kombuse": table})
    if name not in ("a" * 300, "CON", "nul.txt"):
        assert versions.parse(name) is None
    with pytest.raises(InvalidPackage):
        PluginManifest.from_dict({"name": "kit", "version": name or None, "kombuse": table})


@pytest.mark.parametrize("name", NAMES)
def test_no_file_in_a_package_has_such_a_name_below_a_folder(name: str) -> None:
    harmless = {"ａ", "x:y", "-rf", "~", "$HOME", "%2e%2e%2f", "‥", "a/b", "․․/x"}

    problem = file_name_problem(f"files/{name}")

    assert (problem is None) == (name in harmless)


@pytest.mark.parametrize(
    "name", ["kit", "a", "a1", "1a", "triage-kit", "con-tact", "nul1", "a" * 100, "acme/triage-kit"]
)
def test_a_plain_name_of_a_package_is_taken(name: str) -> None:
    assert names.check_name(name) == name


@pytest.mark.parametrize("name", ["com1", "aux", "acme/nul", "prn/kit", "a--b", "-a", "a-", "A"])
def test_names_of_devices_and_odd_hyphens_are_no_names_of_packages(name: str) -> None:
    with pytest.raises(BadRequest):
        names.check_name(name)


def test_names_of_strangers_are_shown_with_escapes_and_not_in_full() -> None:
    with pytest.raises(BadRequest) as refused:
        names.check_package("\x1b[2J\u202e" + "a" * 10_000)

    assert refused.value.message.isprintable()
    assert len(refused.value.message) < 200
