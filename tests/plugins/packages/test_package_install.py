"""Installing packages from folders and archives, good ones and bad ones."""

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.packages.conftest import SAMPLES, Install, MakePackage, Rows

from kombuse_sdk.contracts import PackageFiles
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

COUNTED = (
    *("agents_created", "agents_updated", "labels_created", "labels_merged"),
    *("triggers_created", "triggers_updated", "files_imported", "files_preserved"),
)
GOOD = {
    "01-hello-minimal": ("hello-minimal", (0, 0, 0, 0, 0, 0, 0, 0), ()),
    "02-triage-kit": ("triage-kit", (2, 0, 3, 0, 4, 0, 2, 0), ()),
    "03-triage-kit-upgrade": ("triage-kit", (2, 0, 2, 0, 3, 0, 2, 0), ()),
    "04-yaml-forms": ("yaml-forms", (2, 0, 1, 0, 3, 0, 0, 0), ("no such label",)),
    "05-nested-root": ("nested-root", (0, 0, 1, 0, 0, 0, 0, 0), ()),
    "06-files-only": ("files-only", (0, 0, 0, 0, 0, 0, 6, 0), ()),
    "09-bad-version": ("bad-version", (0, 0, 0, 0, 0, 0, 0, 0), ("1.0",)),
    "10-name-mismatch": ("something-else", (0, 0, 0, 0, 0, 0, 0, 0), ("name-mismatch",)),
}
BAD = {
    "07-missing-plugin-json": "No plugin.json found at ",
    "08-bad-second-agent": "agents/b-bad.md",
}
UNSAFE = sorted(path.name for path in SAMPLES.glob("11-*.tar.gz"))
BROKEN = sorted(path.name for path in SAMPLES.glob("12-*.tar.gz"))
PACKAGES = "cache/packages"


def counters(result: Any) -> tuple[int, ...]:
    return tuple(result[name] for name in COUNTED)


def on_disk(home: Path) -> list[str]:
    """What the cache holds; empty folders do not count."""
    return sorted(
        path.relative_to(home).as_posix()
        for path in (home / "cache").rglob("*")
        if not path.is_dir()
    )


@pytest.mark.parametrize("form", ["", ".tar.gz"])
@pytest.mark.parametrize("sample", sorted(GOOD))
def test_a_good_sample_brings_what_it_holds(
    sample: str, form: str, samples: Path, install: Install, client: TestClient, project: Any
) -> None:
    name, expected, warned = GOOD[sample]

    result = install(samples / f"{sample}{form}")

    assert result["plugin_name"] == name
    assert counters(result) == expected
    assert len(result["warnings"]) == len(warned)
    for warning, part in zip(result["warnings"], warned, strict=True):
        assert part in warning
    (listed,) = client.get("/api/plugins", params={"project_id": project["id"]}).json()
    assert (listed["id"], listed["name"]) == (result["plugin_id"], name)


def test_a_single_folder_in_an_archive_is_its_root(samples: Path, install: Install) -> None:
    result = install(samples / "05-nested-root.named-root.tar.gz")

    assert counters(result) == (0, 0, 1, 0, 0, 0, 0, 0)


@pytest.mark.parametrize("form", ["", ".tar.gz"])
@pytest.mark.parametrize("sample", sorted(BAD))
def test_a_bad_package_is_refused_and_leaves_nothing(
    sample: str, form: str, samples: Path, install: Install, rows: Rows, kombuse_home: Path
) -> None:
    before = rows()

    refused = install(samples / f"{sample}{form}", status=400)

    assert BAD[sample] in refused["error"]
    assert rows() == before
    assert on_disk(kombuse_home) == []


@pytest.mark.parametrize("sample", UNSAFE + BROKEN)
def test_a_hostile_or_broken_archive_is_refused_and_leaves_nothing(
    sample: str,
    samples: Path,
    install: Install,
    rows: Rows,
    kombuse_home: Path,
    tmp_path: Path,
) -> None:
    before = rows()

    refused = install(samples / sample, status=400)

    kind = "UNSAFE_ARCHIVE_ENTRY" if sample in UNSAFE else "INVALID_ARCHIVE"
    assert refused["code"] == kind
    assert refused["error"].startswith("Invalid archive: ")
    assert rows() == before
    assert on_disk(kombuse_home) == []
    assert list(tmp_path.rglob("kombuse-escape-marker.txt")) == []
    assert not Path("/kombuse-escape-marker.txt").exists()


def test_all_hostile_and_broken_samples_are_there() -> None:
    assert (len(UNSAFE), len(BROKEN)) == (7, 5)


def test_a_small_archive_of_much_is_refused_and_leaves_nothing(
    install: Install, rows: Rows, kombuse_home: Path, tmp_path: Path
) -> None:
    before = rows()
    bomb = tmp_path / "bomb.tar.gz"
    with tarfile.open(bomb, "w:gz") as archive:
        member = tarfile.TarInfo("files/zeros.txt")
        member.size = 64 * 1024 * 1024
        archive.addfile(member, io.BytesIO(bytes(member.size)))

    refused = install(bomb, status=413)

    assert refused["code"] == "ARCHIVE_TOO_LARGE"
    assert refused["error"].startswith("Archive too large: ")
    assert rows() == before
    assert on_disk(kombuse_home) == []


def test_a_plugin_tells_of_itself(
    samples: Path, install: Install, client: TestClient, project: Any
) -> None:
    path = samples / "02-triage-kit"
    made = install(path)

    shown = client.get(f"/api/plugins/{made['plugin_id']}").json()

    assert shown == {
        "id": made["plugin_id"],
        "project_id": project["id"],
        "name": "triage-kit",
        "version": "1.0.0",
        "description": "Sorts incoming tickets",
        "directory": str(path),
        "manifest": {
            "name": "triage-kit",
            "version": "1.0.0",
            "author": "acme",
            "description": "Sorts incoming tickets",
            "kombuse": json.loads((path / ".kombuse-plugin/plugin.json").read_text("utf-8"))[
                "kombuse"
            ],
        },
        "is_enabled": True,
        "installed_at": shown["installed_at"],
        "updated_at": shown["installed_at"],
        "source_feed_id": None,
        "source_name": None,
        "checksum": None,
        "code_sha256": None,
    }


def test_an_archive_is_unpacked_into_the_cache(
    samples: Path, install: Install, client: TestClient, kombuse_home: Path
) -> None:
    made = install(samples / "02-triage-kit.tar.gz")

    shown = client.get(f"/api/plugins/{made['plugin_id']}").json()

    directory = Path(shown["directory"])
    assert directory.name == shown["checksum"]
    assert directory.is_relative_to(kombuse_home / PACKAGES)
    original = samples / "02-triage-kit/agents/scribe.md"
    assert (directory / "agents/scribe.md").read_bytes() == original.read_bytes()
    assert {shown["checksum"] in name for name in on_disk(kombuse_home)} == {True}


def test_one_archive_in_two_projects_is_unpacked_once(
    samples: Path, install: Install, make: Factory, client: TestClient
) -> None:
    path = samples / "06-files-only.tar.gz"
    ids = [install(path)["plugin_id"], install(path, project_id=make.project()["id"])["plugin_id"]]

    first, second = (client.get(f"/api/plugins/{plugin_id}").json() for plugin_id in ids)

    assert first["directory"] == second["directory"]
    assert first["id"] != second["id"]


def test_a_package_brings_triggers_of_the_installing_project(
    samples: Path, install: Install, client: TestClient, project: Any
) -> None:
    made = install(samples / "02-triage-kit")

    query = {"plugin_id": made["plugin_id"]}
    agent = client.get("/api/agents/by-slug/triager", params=query).json()
    triggers = client.get(f"/api/agents/{agent['id']}/triggers").json()

    assert agent["project_id"] == project["id"]
    assert {trigger["project_id"] for trigger in triggers} == {project["id"]}
    assert agent["resolved_preset"]["autoApprovedTools"] == ["Read", "Grep"]
    assert agent["resolved_preset"]["autoApprovedBashCommands"] == ["git status"]


def test_an_installation_is_an_event_of_its_project(
    samples: Path, install: Install, client: TestClient, project: Any
) -> None:
    made = install(samples / "02-triage-kit")

    query = {"event_type": "plugin.installed", "project_id": project["id"]}
    (event,) = client.get("/api/events", params=query).json()

    assert json.loads(event["payload"]) == {
        "plugin_id": made["plugin_id"],
        "plugin_name": "triage-kit",
        "version": "1.0.0",
    }
    assert event["actor_type"] == "system"


def test_a_dry_run_tells_what_would_happen_and_changes_nothing(
    samples: Path, install: Install, rows: Rows, kombuse_home: Path
) -> None:
    before = rows()
    path = samples / "02-triage-kit.tar.gz"

    tried = install(path, dry_run=True, status=200)

    assert tried["dry_run"] is True
    assert counters(tried) == GOOD["02-triage-kit"][1]
    assert {
        "kind": "files",
        "action": "imported",
        "name": "preamble/shared.md",
        "detail": None,
    } in (tried["changes"])
    assert rows() == before
    assert on_disk(kombuse_home) == []
    assert counters(install(path)) == counters(tried)


def test_paths_are_expanded_and_relative_to_the_project(
    make_package: MakePackage,
    install: Install,
    folder: Path,
    make: Factory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = make_package()
    package.rename(folder / "own")
    monkeypatch.setenv("HOME", str(folder))

    install("own")
    install("~/own", overwrite=True)
    install("../work/own/", overwrite=True)
    refused = install("own", project_id=make.project()["id"], status=400)

    assert "relative" in refused["error"]


def test_the_project_may_be_named_by_its_slug(
    make_package: MakePackage, install: Install, project: Any
) -> None:
    install(make_package(), project_id=project["slug"])

    assert install(make_package(), project_id="nowhere", status=404) == {
        "error": "Project not found"
    }


@pytest.mark.parametrize(
    "path", ["/nowhere/at/all", "/nowhere.tar.gz", "/dev/null", "/", "a\0b", "/" + "x" * 5000]
)
def test_a_path_without_a_package_is_refused(path: str, install: Install) -> None:
    assert isinstance(install(path, status=400)["error"], str)


def test_a_path_that_does_not_exist_has_no_plugin_json(install: Install) -> None:
    refused = install("/nowhere", status=400)

    assert refused["error"] == "No plugin.json found at /nowhere/.kombuse-plugin/plugin.json"


@pytest.mark.parametrize("body", [{}, {"package_path": ""}, {"package_path": 1}])
def test_an_incomplete_request_is_a_validation_error(body: Any, client: TestClient) -> None:
    answer = client.post("/api/plugins/install", json=body)

    assert answer.status_code == 400
    assert {item["path"][0] for item in answer.json()["error"]} == {"package_path", "project_id"}


def test_installing_twice_needs_overwrite(make_package: MakePackage, install: Install) -> None:
    path = make_package()
    install(path)

    refused = install(path, status=409)

    assert refused["error"] == "plugin_already_installed"
    assert refused["details"] == {"plugin_name": "kit"}


def test_of_two_installations_at_once_one_is_told_of_the_other(
    samples: Path, client: TestClient, project: Any, rows: Rows
) -> None:
    body = {
        "package_path": str(samples / "02-triage-kit.tar.gz"),
        "project_id": project["id"],
    }

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: client.post("/api/plugins/install", json=body), range(4)))

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert (rows()["plugins"], rows()["agents"], rows()["plugin_files"]) == (1, 2, 2)


def test_an_installed_plugin_is_told_of_before_its_agents_are_looked_at(
    make_package: MakePackage, install: Install
) -> None:
    install(make_package())

    broken = make_package(files={"agents/a.md": "no front matter"})

    assert install(broken, status=409)["error"] == "plugin_already_installed"


@pytest.mark.parametrize(
    ("files", "part"),
    [
        ({"files/a.bin": b"\xff\xfe"}, "files/a.bin"),
        ({"files/large.md": b"x" * (1024 * 1024 + 1)}, "files/large.md"),
        ({f"files/{n}.md": b"x" * 1024 * 1024 for n in range(21)}, "files/ has more than"),
        ({"files/presets/coder.json": "{"}, "files/presets/coder.json"),
        ({"files/presets/coder.json": "[]"}, "files/presets/coder.json"),
        ({"files/presets/coder.json": '{"autoApprovedTools": ["Read"]}'}, "autoApprovedBash"),
        (
            {
                "files/presets/coder.json": '{"autoApprovedTools": [], '
                '"autoApprovedBashCommands": [], "permissionMode": "bypassPermissions"}'
            },
            "permissionMode",
        ),
    ],
)
def test_files_that_no_agent_could_use_are_refused(
    files: Any, part: str, make_package: MakePackage, install: Install, rows: Rows
) -> None:
    before = rows()

    refused = install(make_package(files=files), status=400)

    assert part in refused["error"]
    assert rows() == before


def test_files_keep_their_paths_and_contents(
    samples: Path, install: Install, client: TestClient
) -> None:
    plugin = install(samples / "06-files-only")["plugin_id"]

    listed = client.get(f"/api/plugins/{plugin}/files").json()

    assert [file["path"] for file in listed] == [
        "B.md",
        "a.md",
        "deep/er/c.txt",
        "empty.md",
        "presets/generic.json",
        "ünïcode name.md",
    ]
    for file in listed:
        original = samples / "06-files-only/files" / file["path"]
        assert file["content"] == original.read_text("utf-8")


def test_text_with_a_nul_is_kept(
    make_package: MakePackage, install: Install, client: TestClient
) -> None:
    plugin = install(make_package(files={"files/a.md": "a\0b"}))["plugin_id"]

    (file,) = client.get(f"/api/plugins/{plugin}/files").json()

    assert file["content"] == "a\0b"


def test_prompts_find_the_files_of_their_package(
    samples: Path, install: Install, kernel: Kernel
) -> None:
    plugin = install(samples / "06-files-only")["plugin_id"]

    with kernel.db.read() as tx:
        files = tx.services.get(PackageFiles)
        preset = files.preset(tx, plugin, "generic")
        found = [files.text(tx, plugin, path) for path in ("deep/er/c.txt", "Deep/er/c.txt")]

    original = (samples / "06-files-only/files/deep/er/c.txt").read_text("utf-8")
    assert found == [original, None]
    assert preset is not None
    assert preset.auto_approved_tools == ("Read",)
    assert preset.auto_approved_bash_commands == ("ls",)


def test_python_is_only_taken_when_it_is_allowed(
    make_package: MakePackage, install: Install, client: TestClient, rows: Rows
) -> None:
    code = {"python/kit/__init__.py": "print('hello')\n"}
    described = {"entry_point": "kit", "capabilities": ["routes", "network"]}
    path = make_package(files=code, **described)
    before = rows()

    refused = install(path, status=400)

    assert rows() == before
    for part in ("allow_code: true", "routes, network", "kit"):
        assert part in refused["error"]
    plugin = install(path, allow_code=True)["plugin_id"]
    shown = client.get(f"/api/plugins/{plugin}").json()
    assert len(shown["code_sha256"]) == 64
    assert shown["manifest"]["entry_point"] == "kit"
    assert shown["manifest"]["capabilities"] == ["routes", "network"]


def test_changed_python_is_asked_for_again(make_package: MakePackage, install: Install) -> None:
    code = {"python/kit/__init__.py": "print('hello')\n"}
    install(make_package(files=code, entry_point="kit"), allow_code=True)

    install(make_package(files=code, entry_point="kit", version="1.0.1"), overwrite=True)
    changed = make_package(files={"python/kit/__init__.py": "1 / 0\n"}, entry_point="kit")
    refused = install(changed, overwrite=True, status=400)

    assert "other Python code than before" in refused["error"]
    wider = make_package(files=code, entry_point="kit", capabilities=["network"])
    assert "network" in install(wider, overwrite=True, status=400)["error"]


def test_lists_are_by_project_newest_first(
    make_package: MakePackage, install: Install, client: TestClient, project: Any, make: Factory
) -> None:
    names = ["first", "second", "third"]
    made = [install(make_package(name))["plugin_id"] for name in names]
    other = install(make_package("other"), project_id=make.project()["id"])["plugin_id"]

    def listed(**query: str) -> list[str]:
        answer = client.get("/api/plugins", params=query)
        assert answer.status_code == 200
        return [plugin["id"] for plugin in answer.json()]

    assert listed(project_id=project["slug"]) == list(reversed(made))
    assert listed() == [other, *reversed(made)]
    assert listed(project_id="nowhere") == []
    refused = client.get("/api/plugins", params={"project_id": ""})
    assert [item["path"] for item in refused.json()["error"]] == [["project_id"]]


def test_an_unknown_plugin_is_not_found(client: TestClient) -> None:
    missing = (404, {"error": "Plugin not found"})

    for method, path in [
        ("get", ""),
        ("patch", ""),
        ("delete", ""),
        ("get", "/files"),
        ("get", "/files/1"),
        ("patch", "/files/1"),
        ("post", "/files/1/reset"),
    ]:
        body = {"content": "x"} if method == "patch" else None
        answer = client.request(method, f"/api/plugins/none{path}", json=body)
        assert (answer.status_code, answer.json()) == missing
