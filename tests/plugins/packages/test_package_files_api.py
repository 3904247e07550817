"""Files of installed plugins: read, edited, compared with what the package brought."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plans import Planner
from tests.plugins.packages.conftest import Install, MakePackage

from kombuse_plugins.packages import queries
from kombuse_plugins.packages.schemas import FileFilter
from kombuse_sdk.contracts import PackageFiles
from kombuse_sdk.types import Kernel

PRESET = '{"autoApprovedTools": ["Read"], "autoApprovedBashCommands": []}'


@pytest.fixture
def plugin(make_package: MakePackage, install: Install) -> str:
    files = {"files/a.md": "shipped", "files/presets/coder.json": PRESET}
    plugin_id: str = install(make_package(files=files))["plugin_id"]
    return plugin_id


@pytest.fixture
def path(plugin: str, client: TestClient) -> str:
    """The address of `a.md`."""
    file = client.get(f"/api/plugins/{plugin}/files").json()[0]
    return f"/api/plugins/{plugin}/files/{file['id']}"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_file_has_its_content_and_its_hash(client: TestClient, plugin: str, path: str) -> None:
    file = client.get(path).json()

    assert file == {
        "id": file["id"],
        "plugin_id": plugin,
        "path": "a.md",
        "content": "shipped",
        "content_hash": sha256("shipped"),
        "is_user_modified": False,
        "created_at": file["created_at"],
        "updated_at": file["created_at"],
    }


def test_a_list_can_leave_the_contents_out(client: TestClient, plugin: str, path: str) -> None:
    url = f"/api/plugins/{plugin}/files"
    full = client.get(url).json()

    meta = client.get(url, params={"fields": "meta"}).json()

    assert [file | {"content": "shipped"} for file in meta[:1]] == full[:1]
    assert all("content" not in file for file in meta)
    assert client.get(url, params={"fields": "some"}).status_code == 400


def test_an_edit_is_marked_until_it_is_what_the_package_has(client: TestClient, path: str) -> None:
    edited = client.patch(path, json={"content": "mine"}).json()
    again = client.patch(path, json={"content": ""}).json()
    back = client.patch(path, json={"content": "shipped"}).json()

    assert (edited["content"], edited["is_user_modified"]) == ("mine", True)
    assert edited["content_hash"] == sha256("mine")
    assert (again["content"], again["is_user_modified"]) == ("", True)
    assert (back["content"], back["is_user_modified"]) == ("shipped", False)


def test_a_file_can_be_reset(client: TestClient, path: str) -> None:
    client.patch(path, json={"content": "mine"})
    client.patch(path, json={"content": "mine, later"})

    reset = client.post(f"{path}/reset").json()

    assert (reset["content"], reset["is_user_modified"]) == ("shipped", False)
    assert client.post(f"{path}/reset").json()["content"] == "shipped"


def test_a_reset_goes_to_the_version_that_is_installed(
    client: TestClient, path: str, make_package: MakePackage, install: Install
) -> None:
    client.patch(path, json={"content": "mine"})

    result = install(make_package(files={"files/a.md": "newer"}), overwrite=True)

    assert (result["files_preserved"], result["files_imported"]) == (1, 0)
    assert client.get(path).json()["content"] == "mine"
    assert client.post(f"{path}/reset").json()["content"] == "newer"


def test_an_edit_that_the_next_version_has_too_is_none_any_more(
    client: TestClient, path: str, make_package: MakePackage, install: Install
) -> None:
    client.patch(path, json={"content": "newer"})

    result = install(make_package(files={"files/a.md": "newer"}), overwrite=True)

    assert (result["files_preserved"], result["files_imported"]) == (0, 1)
    assert client.get(path).json()["is_user_modified"] is False


def test_an_edited_file_that_the_next_version_lacks_stays_and_is_told_of_once(
    client: TestClient, plugin: str, path: str, make_package: MakePackage, install: Install
) -> None:
    client.patch(path, json={"content": "mine"})

    result = install(make_package(), overwrite=True)
    again = install(make_package(), overwrite=True)

    assert (result["files_preserved"], result["files_removed"]) == (1, 1)
    assert ["files/a.md" in warning for warning in result["warnings"]] == [True]
    assert (again["files_preserved"], again["warnings"]) == (0, [])
    file = client.get(path).json()
    assert (file["content"], file["is_user_modified"]) == ("mine", True)
    assert client.post(f"{path}/reset").status_code == 409


def test_a_file_that_comes_again_is_the_one_it_was(
    client: TestClient, path: str, make_package: MakePackage, install: Install
) -> None:
    client.patch(path, json={"content": "mine"})
    install(make_package(), overwrite=True)

    install(make_package(files={"files/a.md": "returned"}), overwrite=True)

    assert client.get(path).json()["content"] == "mine"
    assert client.post(f"{path}/reset").json()["content"] == "returned"


def test_a_preset_is_only_replaced_by_a_preset(
    client: TestClient, plugin: str, kernel: Kernel
) -> None:
    file = client.get(f"/api/plugins/{plugin}/files").json()[1]
    path = f"/api/plugins/{plugin}/files/{file['id']}"

    refused = client.patch(path, json={"content": "{}"})
    assert (refused.status_code, "autoApprovedTools" in refused.text) == (400, True)
    wider = PRESET.replace('"Read"', '"Read", "Edit"')
    assert client.patch(path, json={"content": wider}).status_code == 200

    with kernel.db.read() as tx:
        preset = tx.services.get(PackageFiles).preset(tx, plugin, "coder")
    assert preset is not None
    assert preset.auto_approved_tools == ("Read", "Edit")


@pytest.mark.parametrize("number", ["0", "999999", "-1", "x", "9" * 30])
def test_another_number_is_no_file(number: str, plugin: str, client: TestClient) -> None:
    missing = (404, {"error": "File not found"})
    url = f"/api/plugins/{plugin}/files/{number}"

    for answer in (
        client.get(url),
        client.patch(url, json={"content": "x"}),
        client.post(f"{url}/reset"),
    ):
        assert (answer.status_code, answer.json()) == missing


def test_a_file_of_another_plugin_is_not_found(
    path: str, client: TestClient, make_package: MakePackage, install: Install
) -> None:
    other = install(make_package("other"))["plugin_id"]
    number = path.rpartition("/")[2]

    assert client.get(f"/api/plugins/{other}/files/{number}").status_code == 404


@pytest.mark.parametrize("body", [{}, {"content": None}, {"content": 1}])
def test_a_body_without_text_is_refused_before_the_file_is_looked_for(
    body: Any, plugin: str, client: TestClient
) -> None:
    answer = client.patch(f"/api/plugins/{plugin}/files/0", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == ["content"]


def test_a_text_of_more_than_a_mebibyte_is_refused(path: str, client: TestClient) -> None:
    assert client.patch(path, json={"content": "x" * 1024 * 1024}).status_code == 413


def test_the_lists_are_read_by_an_index(kernel: Kernel, plugin: str, project: Any) -> None:
    with kernel.db.read() as tx:
        planners: list[Any] = [Planner(tx) for _ in range(3)]
        queries.page(planners[0], None)
        queries.page(planners[1], project["id"])
        queries.files(planners[2], plugin, FileFilter())

    for planner in planners:
        assert planner.outline
        assert all(" USING " in line for line in planner.outline), planner.outline
        assert not any("TEMP B-TREE" in line for line in planner.outline), planner.outline


def test_edits_survive_an_upgrade_of_the_sample(
    samples: Path, install: Install, client: TestClient
) -> None:
    plugin = install(samples / "02-triage-kit")["plugin_id"]
    url = f"/api/plugins/{plugin}/files"
    (file,) = (f for f in client.get(url).json() if f["path"] == "preamble/shared.md")
    client.patch(f"{url}/{file['id']}", json={"content": "mine"})

    result = install(samples / "03-triage-kit-upgrade", overwrite=True)

    assert (result["files_imported"], result["files_preserved"]) == (1, 1)
    assert result["files_removed"] == 1
    assert client.get(f"{url}/{file['id']}").json()["content"] == "mine"
