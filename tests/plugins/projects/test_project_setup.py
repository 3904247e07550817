"""A project's folder: what is checked, and what Codex is told."""

import errno
import os
import stat
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.mcp_clients import our_server
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


def create(client: TestClient, path: Path | str) -> Any:
    body = {"name": "Local", "owner_id": LOCAL_USER, "local_path": str(path)}
    return client.post("/api/projects", json=body)


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_a_new_project_with_a_folder_is_set_up(
    kernel: Kernel, client: TestClient, user_home: Path, folder: Path
) -> None:
    answer = create(client, folder)

    assert (answer.status_code, answer.json()["local_path"]) == (201, str(folder))
    assert "warning" not in answer.json()
    trust = {"projects": {str(folder): {"trust_level": "trusted"}}}
    assert toml(user_home / ".codex" / "config.toml") == trust
    server = {**our_server(kernel).for_codex, "enabled": True}
    assert toml(folder / ".codex" / "config.toml") == {"mcp_servers": {"kombuse": server}}
    made = {str(path.relative_to(folder)) for path in folder.rglob("*")}
    assert made == {
        ".claude",
        ".claude/mcp.json",
        ".codex",
        ".codex/config.toml",
        ".gitignore",
        ".kombuse",
        ".kombuse/plugins",
        ".mcp.json",
        "AGENTS.md",
    }


def test_a_project_without_a_folder_touches_nothing(
    client: TestClient, user_home: Path, make: Factory
) -> None:
    made = make.project(local_path="")
    client.patch(f"/api/projects/{made['id']}", json={"local_path": ""})

    assert made["local_path"] is None
    assert list(user_home.iterdir()) == []


@pytest.mark.parametrize("path", ["relative", "./x", "~nobody-of-that-name/x", "/a\0b"])
def test_a_path_must_be_absolute(client: TestClient, path: str) -> None:
    answer = create(client, path)

    assert answer.status_code == 400
    (issue,) = answer.json()["error"]
    assert (issue["path"], issue["code"]) == (["local_path"], "invalid_format")


def test_a_path_must_be_an_existing_directory(
    client: TestClient, make: Factory, folder: Path
) -> None:
    (folder / "file").touch()
    made = make.project()

    for name in ("missing", "file", "x" * 300):
        for answer in (
            create(client, folder / name),
            client.patch(f"/api/projects/{made['id']}", json={"local_path": str(folder / name)}),
        ):
            assert answer.status_code == 400
            assert [i["path"] for i in answer.json()["error"]] == [["local_path"]]
    assert not (folder / "missing").exists()
    assert client.get("/api/projects").json() == [made]


def test_a_tilde_is_the_home_folder(client: TestClient, user_home: Path) -> None:
    (user_home / "code").mkdir()

    assert create(client, "~/code/").json()["local_path"] == str(user_home / "code")


def test_two_projects_cannot_have_one_folder(
    client: TestClient, make: Factory, folder: Path
) -> None:
    create(client, folder)
    other = make.project()

    created = create(client, f"{folder}/")
    changed = client.patch(f"/api/projects/{other['id']}", json={"local_path": str(folder)})

    for answer in (created, changed):
        assert answer.status_code == 409
        assert answer.json() == {"error": f"Another project has the local_path {folder}"}


def test_projects_without_a_folder_do_not_conflict(make: Factory) -> None:
    assert {make.project(local_path="")["local_path"] for _ in range(2)} == {None}


def test_a_refused_project_leaves_the_folder_alone(
    client: TestClient, folder: Path, user_home: Path
) -> None:
    body = {"name": "x", "owner_id": "nobody", "local_path": str(folder)}

    assert client.post("/api/projects", json=body).status_code == 422
    assert [*folder.iterdir(), *user_home.iterdir()] == []


def test_codex_home_says_where_the_configuration_is(
    client: TestClient, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "deep" / "codex"))
    create(client, folder)

    path = tmp_path / "deep" / "codex" / "config.toml"
    assert str(folder) in toml(path)["projects"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_update_of_the_folder_tells_codex_but_runs_no_init(
    client: TestClient, make: Factory, folder: Path, codex_config: Path
) -> None:
    made = make.project()

    answer = client.patch(f"/api/projects/{made['id']}", json={"local_path": str(folder)})

    assert answer.json()["local_path"] == str(folder)
    assert str(folder) in toml(codex_config)["projects"]
    assert [path.name for path in folder.iterdir()] == [".codex"]


def test_an_update_with_the_same_folder_repairs_the_trust(
    client: TestClient, folder: Path, codex_config: Path
) -> None:
    made = create(client, folder).json()
    codex_config.unlink()

    answer = client.patch(f"/api/projects/{made['id']}", json={"local_path": str(folder)})

    assert answer.json() == made
    assert str(folder) in toml(codex_config)["projects"]


def test_a_project_whose_folder_is_gone_can_still_be_updated(
    client: TestClient, make: Factory, folder: Path, codex_config: Path
) -> None:
    made = create(client, folder).json()
    folder.rename(folder.with_name("moved"))
    codex_config.unlink()

    body = {"name": "New", "local_path": str(folder)}
    answer = client.patch(f"/api/projects/{made['id']}", json=body)

    assert (answer.status_code, answer.json()["name"]) == (200, "New")
    assert answer.json()["warning"].startswith("Codex configuration failed: ")
    assert not folder.exists()
    assert not codex_config.exists()


COMMENTED = """\
# My configuration
model = "gpt-5" # the good one

[projects."/other"] # work
trust_level = "untrusted"

# about tools
[tools]
web_search = true  # sometimes
"""


def test_comments_and_order_survive(client: TestClient, folder: Path, codex_config: Path) -> None:
    codex_config.write_text(COMMENTED, encoding="utf-8")

    assert "warning" not in create(client, folder).json()

    text = codex_config.read_text(encoding="utf-8")
    assert text == f'{COMMENTED}\n[projects."{folder}"]\ntrust_level = "trusted"\n'


@pytest.mark.parametrize(
    "before",
    [
        '[projects."{path}"] # mine\ntrust_level = "untrusted" # why\nother = 1\n',
        'projects = {{ "/a" = {{ trust_level = "untrusted" }} }} # inline\n[x]\n',
        '[projects]\n"{path}" = {{ trust_level = "untrusted" }}\n\n[x]\ny = 1 # z\n',
        'projects."/a".trust_level = "untrusted"\n[x]\n',
        '[projects."/a"]\nk = 1\n[x]\n[projects."/b"]\nk = 1 # b',
        "",
        "model = 'x'",
    ],
)
def test_every_form_of_configuration_gets_the_trust_and_nothing_else(
    client: TestClient, folder: Path, codex_config: Path, before: str
) -> None:
    before = before.format(path=folder)
    codex_config.write_text(before, encoding="utf-8")

    assert "warning" not in create(client, folder).json()

    expected = tomllib.loads(before)
    entry = expected.setdefault("projects", {}).setdefault(str(folder), {})
    entry["trust_level"] = "trusted"
    after = codex_config.read_text(encoding="utf-8")
    assert tomllib.loads(after) == expected
    for comment in ("# mine", "# why", "# inline", "# z", "# b"):
        assert (comment in after) == (comment in before)


@pytest.mark.parametrize(
    "name", ['q"uote', "back\\slash", "new\nline", "日本 語", "a.b]", "'", "#"]
)
def test_any_name_of_a_folder_can_be_trusted(
    client: TestClient, folder: Path, codex_config: Path, name: str
) -> None:
    path = folder / name
    path.mkdir()

    assert "warning" not in create(client, path).json()
    assert toml(codex_config) == {"projects": {str(path): {"trust_level": "trusted"}}}


def test_line_ends_of_windows_stay(client: TestClient, folder: Path, codex_config: Path) -> None:
    codex_config.write_bytes(b"model = 'x'\r\n")
    create(client, folder)

    data = codex_config.read_bytes()
    assert data.startswith(b"model = 'x'\r\n\r\n[projects.")
    assert data.count(b"\n") == data.count(b"\r\n") == 4


def test_a_configuration_that_has_it_all_is_not_written(
    client: TestClient, folder: Path, codex_config: Path
) -> None:
    codex_config.write_text(f"[projects.'{folder}']\ntrust_level = 'trusted'\n", encoding="utf-8")
    before = codex_config.stat()
    create(client, folder)

    assert codex_config.stat() == before


@pytest.mark.parametrize(
    "broken",
    [
        b"model = \n# keep me\n",
        b"[projects\n",
        b"\xff\xfe not utf-8",
        b"a = 1\na = 2\n",
        b"projects = 3\n",
        b"[[projects]]\nx = 1\n",
    ],
)
def test_a_configuration_that_cannot_be_edited_is_untouched_byte_for_byte(
    client: TestClient, folder: Path, codex_config: Path, broken: bytes
) -> None:
    codex_config.write_bytes(broken)

    answer = create(client, folder)

    assert answer.status_code == 201
    assert answer.json()["warning"].startswith(f"Codex configuration failed: {codex_config} ")
    assert codex_config.read_bytes() == broken
    assert list(codex_config.parent.iterdir()) == [codex_config]
    assert list(folder.iterdir()) == []
    stored = client.get(f"/api/projects/{answer.json()['id']}").json()
    assert answer.json() == stored | {"warning": answer.json()["warning"]}


def test_a_codex_folder_that_is_a_file_is_a_warning(
    client: TestClient, folder: Path, user_home: Path
) -> None:
    (user_home / ".codex").write_text("mine", encoding="utf-8")

    warning = create(client, folder).json()["warning"]

    assert warning.startswith("Codex configuration failed: Not a directory")
    assert (user_home / ".codex").read_text(encoding="utf-8") == "mine"


def test_a_linked_configuration_is_written_through_and_stays_a_link(
    client: TestClient, folder: Path, codex_config: Path, tmp_path: Path
) -> None:
    target = tmp_path / "dotfiles" / "codex.toml"
    target.parent.mkdir()
    target.write_text("# mine\n", encoding="utf-8")
    target.chmod(0o640)
    codex_config.symlink_to(target)

    create(client, folder)

    assert codex_config.readlink() == target
    assert target.read_text(encoding="utf-8").startswith("# mine\n")
    assert str(folder) in toml(target)["projects"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert list(target.parent.iterdir()) == [target]


def test_an_existing_project_configuration_gets_the_server_once(
    client: TestClient, folder: Path
) -> None:
    path = folder / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_text("# ours\n[mcp_servers.other]\ncommand = 'x'\n", encoding="utf-8")

    made = create(client, folder).json()
    first = path.read_text(encoding="utf-8")
    client.patch(f"/api/projects/{made['id']}", json={"local_path": str(folder)})

    assert first.startswith("# ours\n[mcp_servers.other]\ncommand = 'x'\n")
    assert set(toml(path)["mcp_servers"]) == {"other", "kombuse"}
    assert path.read_text(encoding="utf-8") == first


def test_an_existing_server_of_that_name_is_the_users_own(client: TestClient, folder: Path) -> None:
    path = folder / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_text("[mcp_servers.kombuse]\nenabled = false\n", encoding="utf-8")

    assert "warning" not in create(client, folder).json()
    assert path.read_text(encoding="utf-8") == "[mcp_servers.kombuse]\nenabled = false\n"


def test_an_older_entry_of_ours_is_brought_up_to_date(
    kernel: Kernel, client: TestClient, folder: Path
) -> None:
    path = folder / ".codex" / "config.toml"
    path.parent.mkdir()
    old = '[mcp_servers.kombuse] # ours\nurl = "http://127.0.0.1:1/mcp"\nenabled = false\n'
    path.write_text(old, encoding="utf-8")

    create(client, folder)

    entry = toml(path)["mcp_servers"]["kombuse"]
    assert entry == {**our_server(kernel).for_codex, "enabled": False}
    assert path.read_text(encoding="utf-8").startswith("[mcp_servers.kombuse] # ours\n")


@pytest.mark.parametrize("link", [".codex", ".codex/config.toml"])
def test_a_link_planted_in_the_folder_leads_nowhere(
    client: TestClient, folder: Path, tmp_path: Path, link: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "config.toml").write_text("", encoding="utf-8")
    if link == ".codex":
        (folder / link).symlink_to(outside)
    else:
        (folder / ".codex").mkdir()
        (folder / link).symlink_to(outside / "config.toml")

    warning = create(client, folder).json()["warning"]

    assert "is a link that leads out of" in warning
    assert (outside / "config.toml").read_bytes() == b""


def test_projects_made_at_once_are_all_trusted(
    client: TestClient, folder: Path, codex_config: Path
) -> None:
    paths = [folder / str(number) for number in range(12)]
    for path in paths:
        path.mkdir()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda path: create(client, path), paths))

    assert {answer.status_code for answer in answers} == {201}
    assert set(toml(codex_config)["projects"]) == set(map(str, paths))


def test_a_failed_step_of_the_setup_is_a_warning(client: TestClient, folder: Path) -> None:
    (folder / ".kombuse").touch()

    answer = create(client, folder)

    assert answer.status_code == 201
    assert answer.json()["warning"].startswith("Project init failed: .kombuse/: Not a directory")
    assert (folder / ".gitignore").exists()


def test_a_read_only_configuration_is_left_alone(
    client: TestClient, folder: Path, codex_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codex_config.write_text("# mine\n", encoding="utf-8")
    codex_config.chmod(0o400)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anything

    assert "is read-only" in create(client, folder).json()["warning"]
    assert codex_config.read_text(encoding="utf-8") == "# mine\n"


def test_a_full_disk_leaves_the_old_configuration_and_no_other_file(
    client: TestClient, folder: Path, codex_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codex_config.write_text("# mine\n", encoding="utf-8")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    warning = create(client, folder).json()["warning"]

    assert warning == "Codex configuration failed: No space left on device"
    assert codex_config.read_text(encoding="utf-8") == "# mine\n"
    assert list(codex_config.parent.iterdir()) == [codex_config]
