"""Making packages of what a project has."""

import hashlib
import json
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.packages.conftest import Install, MakePackage

from kombuse_sdk import config_files
from kombuse_sdk.testing import Factory

Export = Callable[..., Any]


@pytest.fixture
def export(client: TestClient, project: Any) -> Export:
    """Exports the project as `kit`; the answer must have the `status`."""

    def exporting(*, status: int = 200, **body: Any) -> Any:
        body = {"package_name": "kit", "project_id": project["id"]} | body
        answer = client.post("/api/plugins/export", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    return exporting


@pytest.fixture
def agent(client: TestClient, project: Any, make: Factory) -> Any:
    """An agent of the project with a trigger on a label of it."""
    label = make.label(project, name='Needs "Care"', color="#123456", description="now")
    body = {
        "name": "Carer",
        "description": "Takes care",
        "slug": "carer",
        "system_prompt": f"Look at label_id: {label['id']}.\n---\nThen act.",
        "project_id": project["id"],
        "config": {"backend_type": "mock", "temperature": 0.5},
    }
    made = client.post("/api/agents", json=body).json()
    trigger = {"event_type": "label.added", "slug": "care", "conditions": {"label_id": label["id"]}}
    answer = client.post(f"/api/agents/{made['id']}/triggers", json=trigger)
    assert answer.status_code == 201, answer.text
    return made


def read(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_export_says_what_it_wrote(export: Export, agent: Any, folder: Path) -> None:
    made = export(description="For care")

    target = folder / ".kombuse/plugins/kit"
    archive = target.with_name("kit.tar.gz").read_bytes()
    assert made == {
        "package_name": "kit",
        "directory": str(target),
        "agent_count": 1,
        "label_count": 1,
        "file_count": 0,
        "files": ["manifest.json", ".kombuse-plugin/plugin.json", "agents/carer.md"],
        "archive": {
            "path": str(target.with_name("kit.tar.gz")),
            "checksum": hashlib.sha256(archive).hexdigest(),
            "size": len(archive),
        },
        "warnings": [],
    }
    plugin = read(target / ".kombuse-plugin/plugin.json")
    kombuse = plugin.pop("kombuse")
    assert plugin == {"name": "kit", "version": "1.0.0", "description": "For care"}
    assert list(kombuse) == ["plugin_system_version", "exported_at", "labels"]
    label = {"name": 'Needs "Care"', "color": "#123456", "description": "now"}
    assert kombuse["labels"] == [label]
    assert read(target / "manifest.json") == {
        "name": "kit",
        "version": "1.0.0",
        "type": "plugin",
        "description": "For care",
        "metadata": {
            "plugin_system_version": "kombuse-plugin-v1",
            "label_count": 1,
            "agent_count": 1,
        },
    }
    assert not (target / "manifest.json").read_text("utf-8").endswith("\n")
    assert names(target.parent) == ["kit", "kit.tar.gz"]


def test_the_archive_holds_the_folder_and_tells_nothing_else(
    export: Export, agent: Any, folder: Path
) -> None:
    made = export()

    with tarfile.open(made["archive"]["path"]) as archive:
        members = archive.getmembers()
    found = [member.name.removeprefix("./") for member in members]
    assert found == sorted(made["files"])
    assert {(m.uid, m.gid, m.uname, m.gname, m.mode) for m in members} == {(0, 0, "", "", 0o644)}
    assert len({member.mtime for member in members}) == 1


def test_an_existing_package_is_only_replaced_when_that_is_wanted(
    export: Export, agent: Any, folder: Path
) -> None:
    made = export()

    refused = export(status=409)

    assert refused["error"] == "package_exists"
    assert refused["details"] == {"directory": made["directory"]}
    assert export(overwrite=True)["directory"] == made["directory"]


def test_nothing_new_makes_the_same_archive(export: Export, agent: Any) -> None:
    first = export()
    before = Path(first["archive"]["path"]).read_bytes()

    again = export(overwrite=True)

    assert again == first
    assert Path(first["archive"]["path"]).read_bytes() == before


def test_what_a_person_put_into_the_folder_stays(
    export: Export, agent: Any, client: TestClient
) -> None:
    target = Path(export()["directory"])
    (target / "files").mkdir()
    (target / "files/hand.md").write_text("by hand", "utf-8")
    (target / "README.md").write_text("read me", "utf-8")
    script = target / "check.sh"
    script.write_text("#!/bin/sh\n", "utf-8")
    script.chmod(0o755)
    (target / "link").symlink_to("/etc")
    (target / "agents/gone.md").write_text("of an agent that is gone", "utf-8")
    plugin_json = target / ".kombuse-plugin/plugin.json"
    described = read(plugin_json) | {"entry_point": "kit", "capabilities": ["routes"]}
    plugin_json.write_text(json.dumps(described), "utf-8")

    made = export(overwrite=True)

    assert made["files"] == [
        *("manifest.json", ".kombuse-plugin/plugin.json", "agents/carer.md"),
        *("files/hand.md", "README.md", "check.sh"),
    ]
    assert (made["agent_count"], made["file_count"]) == (1, 1)
    assert (target / "files/hand.md").read_text("utf-8") == "by hand"
    assert script.stat().st_mode & stat.S_IXUSR
    assert (target / "link").is_symlink()
    assert not (target / "agents/gone.md").exists()
    kept = read(plugin_json)
    assert (kept["entry_point"], kept["capabilities"]) == ("kit", ["routes"])


def test_what_is_no_part_of_a_package_stays_out_of_the_archive(
    export: Export, agent: Any, folder: Path
) -> None:
    made = export()
    target = Path(made["directory"])
    (target / ".git").mkdir()
    for name in (".git/config", ".env", "module.pyc"):
        (target / name).write_text("private", "utf-8")

    again = export(overwrite=True)

    assert again == made
    assert (target / ".env").read_text("utf-8") == "private"


@pytest.mark.parametrize("time", ["yesterday", "1066-10-14T09:00:00Z", "9999-12-31T00:00:00Z", ""])
def test_a_time_that_no_archive_can_have_is_not_taken_over(
    time: str, export: Export, agent: Any
) -> None:
    target = Path(export()["directory"])
    path = target / ".kombuse-plugin/plugin.json"
    described = read(path)
    described["kombuse"]["exported_at"] = time
    path.write_text(json.dumps(described, indent=2), "utf-8")

    export(overwrite=True)

    assert read(path)["kombuse"]["exported_at"] != time


def test_nothing_is_written_through_a_link_in_the_folder(
    export: Export, agent: Any, tmp_path: Path
) -> None:
    target = Path(export()["directory"])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("carer.md",):
        (target / "agents" / name).unlink()
    (target / "agents").rmdir()
    (target / "agents").symlink_to(elsewhere)

    export(overwrite=True)

    assert list(elsewhere.iterdir()) == []
    assert (target / "agents/carer.md").is_file()


def test_a_file_in_the_place_of_the_package_is_replaced(
    export: Export, agent: Any, folder: Path
) -> None:
    place = folder / ".kombuse/plugins/kit"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("a file", "utf-8")

    assert export(status=409)["error"] == "package_exists"
    export(overwrite=True)

    assert place.is_dir()


def test_version_author_and_description_can_be_said_or_are_those_of_the_installed_plugin(
    export: Export, install: Install, make_package: MakePackage
) -> None:
    install(make_package(version="1.2.3", author="acme", description="Old"))

    same = read(Path(export()["directory"]) / ".kombuse-plugin/plugin.json")
    said = export(overwrite=True, version="2.0.0-rc.1", author="me", description="New")
    new = read(Path(said["directory"]) / ".kombuse-plugin/plugin.json")

    keys = ("version", "author", "description")
    assert tuple(same[key] for key in keys) == ("1.2.3", "acme", "Old")
    assert tuple(new[key] for key in keys) == ("2.0.0-rc.1", "me", "New")


def test_files_of_the_installed_plugin_are_exported_as_they_are_now(
    export: Export, install: Install, make_package: MakePackage, client: TestClient
) -> None:
    plugin = install(make_package(files={"files/a.md": "old", "files/deep/b.md": "b"}))["plugin_id"]
    url = f"/api/plugins/{plugin}/files"
    client.patch(f"{url}/{client.get(url).json()[0]['id']}", json={"content": "edited"})

    made = export()

    assert made["file_count"] == 2
    assert made["files"][-2:] == ["files/a.md", "files/deep/b.md"]
    assert (Path(made["directory"]) / "files/a.md").read_text("utf-8") == "edited"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("package_name", "Conf Pack"),
        ("package_name", "../x"),
        ("package_name", "con"),
        ("package_name", ""),
        ("project_id", ""),
        ("agent_ids", [""]),
        ("archive_format", "zip"),
        ("version", "1.0"),
        ("author", "-x"),
        ("overwrite", "yes"),
    ],
)
def test_a_wrong_field_is_a_validation_error(field: str, value: Any, export: Export) -> None:
    refused = export(status=400, **{field: value})

    assert refused["error"][0]["path"][0] == field


def test_an_unknown_project_or_agent_writes_nothing(export: Export, folder: Path) -> None:
    assert export(status=404, project_id="nowhere") == {"error": "Project not found"}
    refused = export(status=422, agent_ids=["nobody"])

    assert "nobody" in refused["error"] or "agent" in refused["error"]
    assert not list((folder / ".kombuse/plugins").glob("*"))


def test_a_project_without_a_folder_has_its_packages_in_the_home(
    export: Export, make: Factory, kombuse_home: Path
) -> None:
    project = make.project(name="No folder")

    made = export(project_id=project["slug"])

    place = kombuse_home / "projects" / project["id"] / ".kombuse/plugins/kit"
    assert made["directory"] == str(place)


def test_a_folder_that_may_not_be_written_is_forbidden(
    export: Export, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(config_files, "make_folder", refuse)

    refused = export(status=403)

    assert refused["error"].startswith("Cannot write to directory: Permission denied")


def test_a_folder_that_leads_out_of_the_project_is_refused(
    export: Export, folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for path in sorted((folder / ".kombuse").rglob("*"), reverse=True):
        path.rmdir()
    if (folder / ".kombuse").exists():
        (folder / ".kombuse").rmdir()
    (folder / ".kombuse").symlink_to(outside)

    refused = export(status=400)

    assert "leads out" in refused["error"]
    assert list(outside.iterdir()) == []


def test_a_failure_leaves_the_package_as_it_was(
    export: Export, agent: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Path(export()["directory"])
    before = sorted(path.name for path in target.parent.rglob("*"))
    real = Path.rename

    def fail(self: Path, aim: Path) -> Path:
        if self.name.endswith(".new"):
            raise OSError(5, "Input/output error")
        return real(self, aim)

    monkeypatch.setattr(Path, "rename", fail)
    refused = export(status=400, overwrite=True)

    assert "Input/output error" in refused["error"]
    assert sorted(path.name for path in target.parent.rglob("*")) == before


def test_the_remains_of_a_killed_export_are_put_in_order(export: Export, agent: Any) -> None:
    target = Path(export()["directory"])
    (target / "hand.md").write_text("by hand", "utf-8")
    token = "0123456789abcdef"
    target.rename(target.with_name(f".kit.{token}.old"))
    target.with_name(f".kit.{token}.new").mkdir()
    target.with_name(f".kit.{token}.tar.gz").write_bytes(b"half")

    export(overwrite=True)

    assert names(target.parent) == ["kit", "kit.tar.gz"]
    assert (target / "hand.md").read_text("utf-8") == "by hand"


@pytest.mark.parametrize("form", ["directory", "archive"])
def test_an_export_is_installed_elsewhere_and_exported_again_byte_for_byte(
    form: str, export: Export, agent: Any, install: Install, make: Factory, tmp_path: Path
) -> None:
    first = export(description="For care", author="me", version="1.4.0", agent_ids=[agent["id"]])
    place = first["directory"] if form == "directory" else first["archive"]["path"]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = make.project(local_path=str(elsewhere))

    result = install(place, project_id=other["id"])
    again = export(project_id=other["id"])

    assert result["warnings"] == []
    assert (result["agents_created"], result["triggers_created"]) == (1, 1)
    assert again["archive"]["checksum"] == first["archive"]["checksum"]
    assert again["files"] == first["files"]
    bodies = [Path(made["archive"]["path"]).read_bytes() for made in (first, again)]
    assert bodies[0] == bodies[1]


def test_the_sample_survives_a_round_trip(
    samples: Path, install: Install, make: Factory, client: TestClient, tmp_path: Path
) -> None:
    archives = []
    package = str(samples / "02-triage-kit")
    for number in range(3):
        place = tmp_path / f"place{number}"
        place.mkdir()
        project = make.project(local_path=str(place))
        install(package, project_id=project["id"])
        body = {"package_name": "triage-kit", "project_id": project["id"]}
        made = client.post("/api/plugins/export", json=body).json()
        package = made["archive"]["path"]
        archives.append(Path(package).read_bytes())

    assert archives[1] == archives[2]
