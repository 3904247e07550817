"""/api/claude-code/projects and sessions: what is found, imported, and noticed when it is new."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.claude_files import TIME, ClaudeFiles
from tests.fakes import fake_plugin

from kombuse_plugins.claude_code.service import announce_new_sessions
from kombuse_sdk import Service
from kombuse_sdk.contracts import Live
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel

PATH = "/srv/app"
NEW = "2030-01-03T00:00:00.000Z"


class Heard:
    """The contract Live, remembering what is sent."""

    def __init__(self) -> None:
        self.messages: list[tuple[list[str], dict[str, Any]]] = []

    def publish(
        self, topics: Sequence[str], message: Mapping[str, Any], *, sender: str | None = None
    ) -> None:
        if message["type"] == "claude_code.session_found":
            self.messages.append((list(topics), dict(message)))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    return {"disabled_plugins": ["realtime"]}


@pytest.fixture
def plugins_under_test(heard: Heard) -> list[object]:
    return [fake_plugin("fake-live", services=lambda kernel: [Service(Live, heard)])]


def projects(client: TestClient) -> Any:
    answer = client.get("/api/claude-code/projects")
    assert answer.status_code == 200, answer.text
    return answer.json()


def sessions(client: TestClient, path: str = PATH) -> Any:
    answer = client.get("/api/claude-code/sessions", params={"path": path})
    assert answer.status_code == 200, answer.text
    return answer.json()["sessions"]


def entry(**values: Any) -> dict[str, Any]:
    return {
        "sessionId": "11111111-2222-3333-4444-555555555555",
        "messageCount": 4,
        "created": "2030-01-02T00:00:00.000Z",
        "modified": NEW,
        "gitBranch": "main",
        "projectPath": PATH,
    } | values


def test_nothing_is_found_where_claude_code_never_ran(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    assert (projects(client), sessions(client)) == ([], [])
    claude_files.root.rmdir()
    assert (projects(client), sessions(client)) == ([], [])


def test_an_index_tells_the_sessions_of_a_project(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    older = entry(sessionId="older", messageCount=2, modified="2029-01-03T00:00:00.000Z")
    claude_files.index(PATH, {"originalPath": PATH, "entries": [older, entry(gitBranch="")]})

    assert projects(client) == [
        {
            "name": "app",
            "path": PATH,
            "lastAccessed": NEW,
            "totalSessions": 2,
            "totalMessages": 6,
            "gitBranch": None,
            "isImported": False,
        }
    ]
    assert sessions(client)[1] == older | {"isEstimate": False}


@pytest.mark.parametrize(
    "index",
    [
        "{broken",
        "[]",
        {"originalPath": PATH},
        {"originalPath": PATH, "entries": {"a": 1}},
        {"originalPath": PATH, "entries": [None, 5, {}, {"sessionId": "x"}, entry(modified="x")]},
        {"entries": [entry()]},
    ],
)
def test_the_files_tell_what_a_broken_index_does_not(
    client: TestClient, claude_files: ClaudeFiles, index: Any
) -> None:
    claude_files.index(PATH, index)
    assert projects(client) == []

    lines = [{"type": "summary"}, claude_files.user(), claude_files.assistant(), b"broken"]
    session_id = claude_files.session(PATH, lines)

    (project,) = projects(client)
    assert (project["path"], project["totalMessages"], project["gitBranch"]) == (PATH, 2, "main")
    assert sessions(client) == [
        {
            "sessionId": session_id,
            "messageCount": 2,
            "isEstimate": False,
            "created": TIME,
            "modified": TIME,
            "gitBranch": "main",
            "projectPath": PATH,
        }
    ]


def test_an_entry_with_gaps_is_shown_with_what_it_has(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    entries = [{"sessionId": "a", "modified": NEW, "messageCount": -5, "created": 5}]
    claude_files.index(PATH, {"originalPath": PATH, "entries": entries})

    (found,) = sessions(client)

    assert (found["messageCount"], found["created"], found["gitBranch"]) == (0, NEW, None)


def test_a_file_that_went_on_after_the_index_tells_itself(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    session_id = claude_files.session(PATH, [claude_files.user()])
    file = claude_files.folder(PATH) / f"{session_id}.jsonl"
    old = entry(sessionId=session_id, fileMtime=file.stat().st_mtime * 1000 - 5000)
    claude_files.index(PATH, {"originalPath": PATH, "entries": [old]})

    assert sessions(client)[0]["messageCount"] == 1

    current = old | {"fileMtime": file.stat().st_mtime * 1000}
    claude_files.index(PATH, {"originalPath": PATH, "entries": [current]})
    assert sessions(client)[0]["messageCount"] == 4


def test_two_paths_with_the_same_folder_stay_apart(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    dashed = claude_files.session("/a/b-c", [claude_files.user(cwd="/a/b-c")])
    nested = claude_files.session("/a/b/c", [claude_files.user(cwd="/a/b/c")])

    assert sorted(project["path"] for project in projects(client)) == ["/a/b-c", "/a/b/c"]
    assert [found["sessionId"] for found in sessions(client, "/a/b-c")] == [dashed]
    assert [found["sessionId"] for found in sessions(client, "/a/b/c")] == [nested]


def test_a_session_that_began_below_its_project_belongs_to_the_project(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    claude_files.session(PATH, [claude_files.user()])
    claude_files.session(PATH, [claude_files.user(cwd=f"{PATH}/below")])

    assert [(p["path"], p["totalSessions"]) for p in projects(client)] == [(PATH, 2)]
    assert len(sessions(client)) == 2


def test_a_large_session_is_read_at_both_ends(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    lines = [claude_files.user("x" * 1000) for _ in range(1000)]
    lines[-1] |= {"timestamp": "2026-03-05T00:00:00.000Z", "gitBranch": "late"}
    claude_files.session(PATH, lines)

    (found,) = sessions(client)

    assert (found["created"], found["modified"]) == (TIME, "2026-03-05T00:00:00.000Z")
    assert (found["gitBranch"], found["isEstimate"]) == ("late", True)
    assert 950 < found["messageCount"] < 1050


@pytest.mark.parametrize("path", ["..", "relative", "/", "", "/a\0b"])
def test_only_the_absolute_path_of_a_folder_is_taken(client: TestClient, path: str) -> None:
    listed = client.get("/api/claude-code/sessions", params={"path": path})
    imported = client.post("/api/claude-code/projects/import", json={"paths": [path]})

    assert (listed.status_code, imported.status_code) == (400, 400)


def test_what_is_no_session_is_left_out(
    client: TestClient, claude_files: ClaudeFiles, tmp_path: Path
) -> None:
    folder = claude_files.folder(PATH)
    outside = tmp_path / "outside.jsonl"
    outside.write_text('{"type":"user","cwd":"/secret"}\n')
    uuid = "11111111-2222-3333-4444-55555555555"
    (folder / f"{uuid}1.jsonl").symlink_to(outside)
    (folder / f"{uuid}2.jsonl").mkdir()
    os.mkfifo(folder / f"{uuid}3.jsonl")
    os.mkfifo(folder / "sessions-index.json")
    (folder / "agent-1.jsonl").write_text('{"type":"user","cwd":"/srv/app"}\n')
    claude_files.folder("/linked").rmdir()
    claude_files.folder("/other").joinpath(f"{uuid}4.jsonl").write_text('{"cwd":"/other"}\n')
    (claude_files.root / "-linked").symlink_to(claude_files.root / "-other")

    assert [project["path"] for project in projects(client)] == ["/other"]
    assert (sessions(client), sessions(client, "/linked")) == ([], [])
    for number in range(1, 5):
        path = {"path": "/linked" if number == 4 else PATH}
        answer = client.get(f"/api/claude-code/sessions/{uuid}{number}", params=path)
        assert (answer.status_code, answer.json()) == (404, {"error": "Session not found"})


# Import


def test_an_import_makes_projects_of_folders_that_have_none(
    client: TestClient, claude_files: ClaudeFiles, tmp_path: Path
) -> None:
    claude_files.session(PATH, [claude_files.user()])
    folder = tmp_path / "app"
    folder.mkdir()
    body = {"paths": [PATH, str(folder), PATH, f"{folder}/"]}

    made = client.post("/api/claude-code/projects/import", json=body)

    assert made.status_code == 201, made.text
    assert [(p["name"], p["slug"], p["local_path"], p["owner_id"]) for p in made.json()] == [
        ("app", "app", PATH, "user-1"),
        ("app", "app-2", str(folder), "user-1"),
    ]
    assert list(folder.iterdir()) == []
    assert [project["isImported"] for project in projects(client)] == [True]
    assert client.post("/api/claude-code/projects/import", json=body).json() == []


def test_an_import_of_a_folder_that_nobody_knows_makes_nothing(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    claude_files.session(PATH, [claude_files.user()])
    body = {"paths": [PATH, "/no/such/folder"]}

    answer = client.post("/api/claude-code/projects/import", json=body)

    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["error"]] == [["paths", 1]]
    assert client.get("/api/projects").json() == []


# New sessions


def test_a_new_session_is_told_once_to_its_project(
    kernel: Kernel, client: TestClient, claude_files: ClaudeFiles, heard: Heard, tmp_path: Path
) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    project = Factory(client).project(local_path=str(folder))
    claude_files.session(PATH, [claude_files.user()])
    announce_new_sessions(kernel)
    assert heard.messages == []

    first = claude_files.session(str(folder), [claude_files.user(cwd=str(folder))])
    second = claude_files.session(PATH, [claude_files.user()])
    announce_new_sessions(kernel)
    announce_new_sessions(kernel)

    told = {message["sessionId"]: (topics, message) for topics, message in heard.messages}
    assert len(heard.messages) == 2
    assert told[first][0] == ["*", f"project:{project['id']}"]
    assert told[first][1] == {
        "type": "claude_code.session_found",
        "sessionId": first,
        "path": str(folder),
        "projectId": project["id"],
    }
    assert told[second][0] == ["*"]


def test_a_session_is_told_when_its_file_says_where_it_works(
    kernel: Kernel, claude_files: ClaudeFiles, heard: Heard
) -> None:
    announce_new_sessions(kernel)
    session_id = claude_files.session(PATH, [{"type": "summary"}])
    announce_new_sessions(kernel)
    assert heard.messages == []

    claude_files.session(PATH, [{"type": "summary"}, claude_files.user()], name=session_id)
    announce_new_sessions(kernel)

    assert [message["sessionId"] for _, message in heard.messages] == [session_id]


def test_the_watch_survives_folders_that_come_and_go(
    kernel: Kernel, claude_files: ClaudeFiles, heard: Heard
) -> None:
    announce_new_sessions(kernel)
    session_id = claude_files.session(PATH, [claude_files.user()])
    announce_new_sessions(kernel)
    (claude_files.folder(PATH) / f"{session_id}.jsonl").unlink()
    claude_files.folder(PATH).rmdir()
    announce_new_sessions(kernel)
    claude_files.session(PATH, [claude_files.user()], name=session_id)
    announce_new_sessions(kernel)

    assert [message["sessionId"] for _, message in heard.messages] == [session_id, session_id]
