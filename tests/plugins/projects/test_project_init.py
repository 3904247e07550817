"""POST /api/projects/{id}/init: every file, present or not."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.mcp_clients import our_server
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

NAMES = [".mcp.json", ".claude/mcp.json", "AGENTS.md", ".kombuse/", ".gitignore"]
OLD_SERVER = {"type": "http", "url": "http://127.0.0.1:4000/mcp"}
Outcome = tuple[str, str | None]


@pytest.fixture
def server(kernel: Kernel) -> dict[str, Any]:
    """The entry that clients of this server get."""
    return our_server(kernel).for_claude


@pytest.fixture
def project(kernel: Kernel, client: TestClient, folder: Path) -> str:
    """The id of a project whose folder is still untouched."""
    body = {"id": "local", "name": "Local", "owner_id": LOCAL_USER}
    assert client.post("/api/projects", json=body).status_code == 201
    with kernel.db.write() as tx:
        tx.execute("UPDATE projects SET local_path = ? WHERE id = 'local'", (str(folder),))
    return "local"


def init(client: TestClient, project: str, **options: bool) -> dict[str, Outcome]:
    answer = client.post(f"/api/projects/{project}/init", json=options)
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"projectPath", "files"}
    return {item["file"]: (item["action"], item.get("reason")) for item in answer.json()["files"]}


def test_an_untouched_folder_gets_every_file(
    client: TestClient, project: str, folder: Path, server: dict[str, Any]
) -> None:
    answer = client.post(f"/api/projects/{project}/init")

    created = [{"file": name, "action": "created"} for name in NAMES]
    assert answer.json() == {"projectPath": str(folder), "files": created}
    for name in (".mcp.json", ".claude/mcp.json"):
        text = (folder / name).read_text(encoding="utf-8")
        assert text == json.dumps({"mcpServers": {"kombuse": server}}, indent=2) + "\n"
    assert (folder / "AGENTS.md").read_bytes() == b""
    assert (folder / ".kombuse" / "plugins").is_dir()
    assert (folder / ".gitignore").read_bytes() == b".kombuse/\n"


def test_a_second_run_skips_everything_and_changes_nothing(
    client: TestClient, project: str, folder: Path
) -> None:
    init(client, project)
    before = {path: path.stat() for path in folder.rglob("*")}

    again = init(client, project)

    exists = ("skipped", "already exists")
    assert list(again.values()) == [*[exists] * 4, ("skipped", "already contains .kombuse/")]
    assert {path: path.stat() for path in folder.rglob("*")} == before


@pytest.mark.parametrize(
    ("flag", "left_out"),
    [
        ("skipMcpJson", NAMES[:2]),
        ("skipAgentsMd", ["AGENTS.md"]),
        ("skipKombuseDir", [".kombuse/"]),
        ("skipGitignore", [".gitignore"]),
    ],
)
def test_a_flag_leaves_out_its_step(
    client: TestClient, project: str, folder: Path, flag: str, left_out: list[str]
) -> None:
    done = init(client, project, **{flag: True})

    assert list(done) == [name for name in NAMES if name not in left_out]
    assert not any((folder / name).exists() for name in left_out)


def test_all_flags_leave_the_folder_alone(client: TestClient, project: str, folder: Path) -> None:
    flags = ("skipMcpJson", "skipAgentsMd", "skipKombuseDir", "skipGitignore")

    assert init(client, project, **dict.fromkeys(flags, True)) == {}
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("body", [[], "x", 5, {"skipMcpJson": "true"}, {"skipGitignore": None}])
def test_a_bad_body_is_refused(client: TestClient, project: str, body: Any) -> None:
    answer = client.post(f"/api/projects/{project}/init", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"][0]["code"] == "invalid_type"


def test_null_is_an_empty_body(client: TestClient, project: str) -> None:
    headers = {"content-type": "application/json"}
    answer = client.post(f"/api/projects/{project}/init", content="null", headers=headers)

    assert answer.status_code == 200


def test_a_project_without_a_folder_cannot_be_set_up(client: TestClient, make: Factory) -> None:
    made = make.project()

    answer = client.post(f"/api/projects/{made['slug']}/init", json={"skipMcpJson": 1})

    assert answer.status_code == 400
    assert answer.json() == {"error": "Project has no local_path configured"}


def test_a_folder_that_is_gone_is_named(client: TestClient, project: str, folder: Path) -> None:
    folder.rename(folder.with_name("moved"))

    answer = client.post(f"/api/projects/{project}/init")

    assert answer.status_code == 400
    message = f"Project path does not exist or is not a directory: {folder}"
    assert answer.json() == {"error": message}
    assert not folder.exists()


@pytest.mark.parametrize("name", NAMES[:2])
def test_the_server_joins_an_existing_mcp_configuration(
    client: TestClient, project: str, folder: Path, server: dict[str, Any], name: str
) -> None:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text('{\n    "x": "é",\n    "mcpServers": {"o": {}}\n}', encoding="utf-8")
    path.chmod(0o640)

    assert init(client, project)[name] == ("created", None)

    text = path.read_text(encoding="utf-8")
    assert json.loads(text) == {"x": "é", "mcpServers": {"o": {}, "kombuse": server}}
    assert text.startswith('{\n    "x": "é",\n')
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_configuration_without_servers_gets_them(
    client: TestClient, project: str, folder: Path, server: dict[str, Any]
) -> None:
    (folder / ".mcp.json").write_bytes(b"\xef\xbb\xbf{\r\n}\r\n")

    assert init(client, project)[".mcp.json"] == ("created", None)
    data = (folder / ".mcp.json").read_bytes()
    assert json.loads(data) == {"mcpServers": {"kombuse": server}}
    assert data.count(b"\n") == data.count(b"\r\n")


def test_an_own_entry_of_that_name_is_kept(client: TestClient, project: str, folder: Path) -> None:
    before = b'{"mcpServers": {"kombuse": {"command": "mine"}}}'
    (folder / ".mcp.json").write_bytes(before)

    assert init(client, project)[".mcp.json"] == ("skipped", "already exists")
    assert (folder / ".mcp.json").read_bytes() == before


def test_an_older_entry_of_ours_is_brought_up_to_date(
    client: TestClient, project: str, folder: Path, server: dict[str, Any]
) -> None:
    before = {"mcpServers": {"kombuse": {**OLD_SERVER, "timeout": 5}}}
    (folder / ".mcp.json").write_text(json.dumps(before), encoding="utf-8")

    assert init(client, project)[".mcp.json"] == ("created", None)
    after = json.loads((folder / ".mcp.json").read_bytes())
    assert after == {"mcpServers": {"kombuse": {"timeout": 5, **server}}}


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"{ broken",
        b'{"mcpServers": {}, } // comment',
        b"[]",
        b"null",
        b'{"mcpServers": []}',
        b'{"mcpServers": null}',
        b'{"a": 1, "a": 2}',
        b"\xff\xfe{\x00}\x00",
        b'{"a": ' + b"[" * 100_000,
        b'{"lone": "\\ud800"}',
    ],
)
def test_a_configuration_that_cannot_be_extended_is_untouched(
    client: TestClient, project: str, folder: Path, before: bytes
) -> None:
    (folder / ".mcp.json").write_bytes(before)

    done = init(client, project)

    action, reason = done.pop(".mcp.json")
    assert action == "error"
    assert reason
    assert (folder / ".mcp.json").read_bytes() == before
    assert {action for action, _ in done.values()} == {"created"}


def test_existing_agent_notes_are_kept(client: TestClient, project: str, folder: Path) -> None:
    (folder / "AGENTS.md").write_text("Be brief.", encoding="utf-8")

    assert init(client, project)["AGENTS.md"] == ("skipped", "already exists")
    assert (folder / "AGENTS.md").read_text(encoding="utf-8") == "Be brief."


def test_a_bare_folder_gets_its_plugins(client: TestClient, project: str, folder: Path) -> None:
    (folder / ".kombuse").mkdir()

    assert init(client, project)[".kombuse/"] == ("created", None)
    assert (folder / ".kombuse" / "plugins").is_dir()


@pytest.mark.parametrize("name", [".kombuse", ".kombuse/plugins"])
def test_a_file_where_a_folder_should_be_is_an_error_of_that_step_alone(
    client: TestClient, project: str, folder: Path, name: str
) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).touch()

    done = init(client, project)

    assert done[".kombuse/"][0] == "error"
    assert done[".gitignore"] == ("created", None)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"node_modules\n", b"node_modules\n.kombuse/\n"),
        (b"node_modules", b"node_modules\n.kombuse/\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n.kombuse/\r\n"),
        (b"a\r\nb", b"a\r\nb\r\n.kombuse/\r\n"),
        (b"", b"\n.kombuse/\n"),
        (b".kombuse\n", b".kombuse\n.kombuse/\n"),
        (b"# .kombuse/\n", b"# .kombuse/\n.kombuse/\n"),
        (b"\xff latin \xe9\n", b"\xff latin \xe9\n.kombuse/\n"),
    ],
)
def test_the_folder_is_ignored_from_now_on(
    client: TestClient, project: str, folder: Path, before: bytes, after: bytes
) -> None:
    (folder / ".gitignore").write_bytes(before)

    assert init(client, project)[".gitignore"] == ("created", None)
    assert (folder / ".gitignore").read_bytes() == after


@pytest.mark.parametrize(
    "before", [b"a\n .kombuse/ \nb", b".kombuse/\r\n", b"\xef\xbb\xbf.kombuse/"]
)
def test_a_folder_that_is_ignored_already_is_skipped(
    client: TestClient, project: str, folder: Path, before: bytes
) -> None:
    (folder / ".gitignore").write_bytes(before)

    assert init(client, project)[".gitignore"] == ("skipped", "already contains .kombuse/")
    assert (folder / ".gitignore").read_bytes() == before


@pytest.mark.parametrize("name", [".mcp.json", ".claude/mcp.json", ".gitignore"])
def test_what_is_no_plain_file_is_an_error(
    client: TestClient, project: str, folder: Path, name: str
) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    os.mkfifo(folder / name)

    assert init(client, project)[name] == ("error", f"{folder / name} is not a file")


@pytest.mark.parametrize("name", [".mcp.json", ".claude", "AGENTS.md", ".kombuse", ".gitignore"])
def test_a_planted_link_is_never_followed_out_of_the_folder(
    client: TestClient, project: str, folder: Path, tmp_path: Path, name: str
) -> None:
    outside = tmp_path / "outside"
    (folder / name).symlink_to(outside)

    done = init(client, project)

    assert not outside.exists()
    action = next(outcome for file, outcome in done.items() if file.startswith(name))[0]
    assert action == ("skipped" if name == "AGENTS.md" else "error")


def test_a_link_within_the_folder_is_written_through(
    client: TestClient, project: str, folder: Path
) -> None:
    (folder / "shared.json").write_text("{}", encoding="utf-8")
    (folder / ".mcp.json").symlink_to("shared.json")

    assert init(client, project)[".mcp.json"] == ("created", None)
    assert (folder / ".mcp.json").readlink() == Path("shared.json")
    assert "kombuse" in (folder / "shared.json").read_text(encoding="utf-8")


def test_a_link_to_itself_is_an_error(client: TestClient, project: str, folder: Path) -> None:
    (folder / ".gitignore").symlink_to(".gitignore")

    assert init(client, project)[".gitignore"][0] == "error"


@pytest.mark.parametrize(("mode", "made"), [(0o750, 0o750), (0o700, 0o700), (0o777, 0o755)])
def test_new_files_are_readable_like_the_folder_and_writable_by_the_user_alone(
    client: TestClient, project: str, folder: Path, mode: int, made: int
) -> None:
    folder.chmod(mode)
    old = os.umask(0o077)
    try:
        init(client, project)
    finally:
        os.umask(old)

    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert modes == {path: made if path.is_dir() else made & 0o666 for path in modes}


def test_no_temporary_file_stays(client: TestClient, project: str, folder: Path) -> None:
    init(client, project)

    assert list(folder.rglob("*.tmp")) == []


def test_two_runs_at_once_ignore_the_folder_once(
    client: TestClient, project: str, folder: Path
) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: init(client, project), range(8)))

    assert (folder / ".gitignore").read_bytes() == b".kombuse/\n"
