"""T32: hostile session files of Claude Code are reported; they never hang, fail or lead away."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.claude_files import ClaudeFiles

PATH = "/srv/app"
DEEP = 100_000
HOSTILE = {
    "deep arrays": b'{"type":"user","x":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"type":"user","x":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "a little too deep": b"[" * 150 + b"]" * 150,
    "open arrays": b"[" * DEEP,
    "huge exponent": b'{"type":"user","x":1e999999}',
    "huge integer": b'{"type":"user","x":' + b"9" * 100_000 + b"}",
    "not a number": b'{"type":"user","x":NaN}',
    "NUL": b'{"type":"user","x":"\0"}',
    "NULs": b"\0" * 1000,
    "invalid UTF-8": b'{"type":"user","x":"\xff\xfe"}',
    "lone surrogate": b'{"type":"user","x":"\\ud800"}',
    "byte order mark": b'\xef\xbb\xbf{"type":"user"}',
    "two values": b'{"type":"user"} {"type":"user"}',
    "end of the list": b'{"type":"user"}],"events":[',
    "long line": b'{"type":"user","x":"' + b"x" * (9 * 1024 * 1024) + b'"}',
}
ODD = {
    "scalar": b"5",
    "null": b"null",
    "type of another type": b'{"type":{"a":1},"uuid":5,"timestamp":{}}',
    "same keys": b'{"type":"user","type":"result","subtype":5,"errors":[1,{}],"num_turns":"x"}',
    "message of another type": b'{"type":"assistant","message":[1]}',
    "blocks of other types": b'{"type":"assistant","message":{"content":[1,null,[],{"type":5}]}}',
    "endless blocks": b'{"type":"assistant","message":{"content":[' + b"{}," * 9999 + b"{}]}}",
    "far future": b'{"type":"user","timestamp":"9999-12-31T23:59:59.999999-23:59"}',
    "far past": b'{"type":"user","timestamp":"0001-01-01T00:00:00+23:59"}',
    "times of other types": b'{"type":"user","timestamp":1e300,"cwd":["/x"],"gitBranch":{}}',
    "request of another type": b'{"type":"control_request","request":7}',
    "integer beyond 64 bits": b'{"type":"user","x":123456789012345678901234567890}',
}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ClaudeFiles:
    for name in ("CLAUDE_HOME", "CLAUDE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    return ClaudeFiles(tmp_path / "person")


def read(client: TestClient, session_id: str) -> Any:
    listed = client.get("/api/claude-code/sessions", params={"path": PATH})
    assert (listed.status_code, len(listed.json()["sessions"])) == (200, 1)
    assert client.get("/api/claude-code/projects").status_code == 200
    answer = client.get(f"/api/claude-code/sessions/{session_id}", params={"path": PATH})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_is_reported_and_the_others_are_read(
    client: TestClient, files: ClaudeFiles, name: str
) -> None:
    good = files.user()

    found = read(client, files.session(PATH, [good, HOSTILE[name], good]))

    assert (found["items"][0], found["items"][2]) == (good, good)
    assert found["items"][1]["_parseError"] is True
    assert len(found["items"][1]["_raw"]) <= 200
    assert [error["index"] for error in found["validation"]["errors"]] == [1]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_line_is_shown_as_it_is_and_reported(
    client: TestClient, files: ClaudeFiles, name: str
) -> None:
    found = read(client, files.session(PATH, [ODD[name], files.user()]))

    assert found["items"][0] == json.loads(ODD[name])
    assert [error["index"] for error in found["validation"]["errors"]] == [0]


def test_a_line_of_a_hundred_megabytes_is_passed_over(
    client: TestClient, files: ClaudeFiles
) -> None:
    session_id = files.session(PATH, [files.user(), b"x" * 100_000_000, files.user()])

    found = read(client, session_id)

    assert (found["count"], found["validation"]["invalid"]) == (3, 1)
    assert found["items"][1]["_raw"] == "x" * 200


def test_millions_of_blank_lines_are_passed_over(client: TestClient, files: ClaudeFiles) -> None:
    blank = b"\n" * 30_000_000 + b" " * 30_000_000
    lines = [files.user(), blank, b" \t", files.user()]

    found = read(client, files.session(PATH, lines))

    assert found["items"] == [lines[0], lines[3]]


def test_an_index_that_is_hostile_is_not_used(client: TestClient, files: ClaudeFiles) -> None:
    files.session(PATH, [files.user()])
    entry = {"sessionId": "../../x", "modified": "2030-01-03T00:00:00Z", "messageCount": 10**400}
    for content in ("[" * DEEP, '{"originalPath":"/x","entries":' + "[" * DEEP, "\0"):
        files.index(PATH, content)
        answer = client.get("/api/claude-code/sessions", params={"path": PATH})
        assert (answer.status_code, len(answer.json()["sessions"])) == (200, 1)

    files.index(PATH, {"originalPath": PATH, "entries": [entry]})
    listed = client.get("/api/claude-code/sessions", params={"path": PATH})
    shown = {found["sessionId"] for found in listed.json()["sessions"]}
    assert listed.status_code == 200
    for session_id in shown - {"../../x"}:
        assert len(session_id) == 36
    assert client.get("/api/claude-code/projects").status_code == 200


@pytest.mark.parametrize("path", ["/a/../../../etc", "/..", "/../..", "/a/./b", "//etc"])
def test_no_path_leads_out_of_the_folder(client: TestClient, files: ClaudeFiles, path: str) -> None:
    secret = "11111111-2222-3333-4444-555555555555"
    for folder in (files.root.parent, files.root.parents[1]):
        (folder / f"{secret}.jsonl").write_text('{"type":"user","cwd":"/x"}\n')

    listed = client.get("/api/claude-code/sessions", params={"path": path})
    answer = client.get(f"/api/claude-code/sessions/{secret}", params={"path": path})

    assert listed.json().get("sessions", []) == []
    assert answer.status_code in (400, 404)


def test_a_file_that_shrinks_or_goes_while_it_is_read_is_no_fault(
    client: TestClient, files: ClaudeFiles
) -> None:
    session_id = files.session(PATH, [files.user()] * 500)
    file = files.folder(PATH) / f"{session_id}.jsonl"
    stop = threading.Event()

    def disturb() -> None:
        whole = file.read_bytes()
        while not stop.is_set():
            os.truncate(file, len(whole) // 3)
            file.write_bytes(whole)

    disturbing = threading.Thread(target=disturb)
    disturbing.start()
    try:
        query: dict[str, str | int] = {"path": PATH, "offset": 400}
        statuses = {
            client.get(f"/api/claude-code/sessions/{session_id}", params=query).status_code
            for _ in range(30)
        }
    finally:
        stop.set()
        disturbing.join()

    assert statuses == {200}
