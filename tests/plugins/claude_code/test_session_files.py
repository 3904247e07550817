"""/api/claude-code/sessions/:sessionId: lines, events and the validation report of a file."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.claude_files import ClaudeFiles

PATH = "/srv/app"
UNKNOWN = "11111111-2222-3333-4444-555555555555"


def read(client: TestClient, session_id: str, **query: Any) -> Any:
    params = {"path": PATH} | query
    answer = client.get(f"/api/claude-code/sessions/{session_id}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_session_is_its_lines_their_events_and_a_report(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    lines = [claude_files.user(), claude_files.assistant(claude_files.text("hi there"))]
    session_id = claude_files.session(PATH, lines)

    found = read(client, session_id)

    assert found["items"] == lines
    assert (found["count"], found["offset"], found["nextOffset"]) == (2, 0, None)
    assert found["validation"] == {
        "valid": 2,
        "invalid": 0,
        "byType": {"user": {"valid": 1, "invalid": 0}, "assistant": {"valid": 1, "invalid": 0}},
        "errors": [],
        "errorsOmitted": 0,
    }
    assert [event["type"] for event in found["events"]] == ["raw", "message"]
    assert found["events"][1] == {
        "type": "message",
        "eventId": lines[1]["uuid"],
        "backend": "claude-code",
        "timestamp": 1772600767000,
        "role": "assistant",
        "content": "hi there",
    }


def test_each_block_of_a_line_is_an_event_of_its_own(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        claude_files.text(),
        {"type": "image"},
        {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file": "a"}},
        {"type": "tool_result", "tool_use_id": "t1", "content": "text", "is_error": True},
    ]
    line = claude_files.assistant(*blocks)

    events = read(client, claude_files.session(PATH, [line]))["events"]

    assert [event["eventId"] for event in events] == [f"{line['uuid']}-{n}" for n in (0, 1, 3, 4)]
    assert events[0] | events[0]["data"] == events[0] | {"thinking": "hm", "type": "thinking"}
    assert (events[2]["id"], events[2]["name"], events[2]["input"]) == ("t1", "Read", {"file": "a"})
    assert (events[3]["toolUseId"], events[3]["content"], events[3]["isError"]) == (
        "t1",
        "text",
        True,
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"type": "assistant", "broken": True}, [("raw", "assistant")]),
        ({"type": "user", "message": {"role": "user", "content": "x"}}, [("raw", "user")]),
        ({"type": "system", "subtype": "init"}, [("raw", "init")]),
        ({"type": "summary", "summary": "x"}, [("raw", "summary")]),
        ({"type": 5}, [("raw", "unknown")]),
        ([1], [("raw", "unknown")]),
        ({"type": "progress"}, []),
        ({"type": "queue-operation"}, []),
        ({"type": "file-history-snapshot"}, []),
        ({"type": "control_request", "request_id": "r"}, [("permission_request", None)]),
        ({"type": "result", "subtype": "success"}, [("complete", None)]),
        (
            {"type": "result", "subtype": "error_max_turns", "errors": ["a", "b"]},
            [("complete", None), ("error", None)],
        ),
    ],
)
def test_lines_of_each_type_become_their_events(
    client: TestClient, claude_files: ClaudeFiles, line: Any, expected: list[tuple[str, str | None]]
) -> None:
    events = read(client, claude_files.session(PATH, [line]))["events"]

    assert [(event["type"], event.get("sourceType")) for event in events] == expected
    assert {event["timestamp"] for event in events} <= {0}


def test_a_failed_result_tells_its_errors(client: TestClient, claude_files: ClaudeFiles) -> None:
    line = {"type": "result", "subtype": "error_max_turns", "errors": ["a", "b"], "uuid": "u"}

    complete, error = read(client, claude_files.session(PATH, [line]))["events"]

    assert (complete["success"], complete["reason"]) == (False, "result")
    assert (error["eventId"], error["message"]) == ("u-error", "a; b")


def test_events_of_lines_without_an_id_have_the_same_id_each_time(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    session_id = claude_files.session(PATH, [{"type": "summary"}, {"type": "summary"}])

    first, second = read(client, session_id)["events"]

    assert first["eventId"] != second["eventId"]
    assert read(client, session_id, offset=1)["events"] == [second]


def issues(client: TestClient, claude_files: ClaudeFiles, line: Any) -> list[tuple[str, str]]:
    session_id = claude_files.session(PATH, [line])
    (error,) = read(client, session_id)["validation"]["errors"]
    return [(issue["path"], issue["code"]) for issue in error["issues"]]


def test_what_a_line_lacks_is_reported_by_its_path(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    block = {"type": "text", "text": 5}

    assert issues(client, claude_files, {"type": "progress", "uuid": "u"}) == [
        ("sessionId", "invalid_type"),
        ("timestamp", "invalid_type"),
    ]
    assert issues(client, claude_files, claude_files.assistant(block)) == [
        ("message.content.0.text", "invalid_type")
    ]
    assert issues(client, claude_files, claude_files.assistant({"type": "video"})) == [
        ("message.content.0", "invalid_union")
    ]
    assert issues(client, claude_files, {"type": "summary"}) == [("type", "invalid_union")]


def test_complete_lines_of_every_type_are_valid(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    stamps = {"sessionId": "s", "uuid": "u", "timestamp": "t"}
    result = {"session_id": "s", "duration_ms": 1, "duration_api_ms": 1.5, "is_error": False}
    result |= {"type": "result", "num_turns": 1, "total_cost_usd": 0.1}
    request = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {}}
    lines = [
        {"type": "system", "subtype": "init", **stamps},
        {"type": "progress", **stamps},
        {"type": "queue-operation", "operation": "enqueue", "timestamp": "t", "sessionId": "s"},
        {"type": "file-history-snapshot", "messageId": "m", "snapshot": {}},
        {"type": "control_request", "request_id": "r", "request": request},
        result | {"subtype": "success", "result": "done", "usage": {}},
        result | {"subtype": "error_during_execution", "errors": ["no"]},
    ]

    validation = read(client, claude_files.session(PATH, lines))["validation"]

    assert (validation["valid"], validation["errors"]) == (7, [])


def test_a_broken_line_is_reported_among_the_others(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    session_id = claude_files.session(PATH, [claude_files.user(), b'{"type": "us', b"", b"7"])

    found = read(client, session_id)

    assert found["items"][1] == {"_parseError": True, "_lineIndex": 1, "_raw": '{"type": "us'}
    assert found["items"][2] == 7
    assert (found["validation"]["valid"], found["validation"]["invalid"]) == (1, 2)
    assert [(error["index"], error["type"]) for error in found["validation"]["errors"]] == [
        (1, "unknown"),
        (2, "unknown"),
    ]


def test_pages_are_the_lines_of_the_file_in_order(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    lines = [claude_files.user(f"line {number}") for number in range(700)]
    session_id = claude_files.session(PATH, lines)

    seen, offset = [], 0
    while offset is not None:
        page = read(client, session_id, limit=97, offset=offset)
        assert (page["count"], page["validation"]["valid"]) == (700, 700)
        seen += page["items"]
        offset = page["nextOffset"]

    assert seen == lines
    assert read(client, session_id, offset=700)["items"] == []


def test_a_page_of_large_lines_has_fewer_of_them(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    line = claude_files.user("x" * 900_000)
    session_id = claude_files.session(PATH, [line] * 4)

    page = read(client, session_id)

    assert (len(page["items"]), page["count"], page["nextOffset"]) == (2, 4, 2)


def test_what_is_appended_or_written_anew_is_seen(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    session_id = claude_files.session(PATH, [claude_files.user()])
    file = claude_files.folder(PATH) / f"{session_id}.jsonl"
    assert read(client, session_id)["count"] == 1

    with file.open("ab") as appending:
        appending.write(b"broken\n" + json.dumps(claude_files.user()).encode())
    assert read(client, session_id)["validation"]["byType"] == {
        "user": {"valid": 2, "invalid": 0},
        "unknown": {"valid": 0, "invalid": 1},
    }

    with file.open("ab") as appending:
        appending.write(b" and more\n")
    assert read(client, session_id)["validation"]["valid"] == 1

    claude_files.session(PATH, [{"type": "summary"}] * 900, name=session_id)
    assert read(client, session_id)["validation"]["byType"] == {
        "summary": {"valid": 0, "invalid": 900}
    }


def test_the_first_errors_are_kept_and_the_others_counted(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    lines = [{"type": f"kind {number}"} for number in range(500)]

    validation = read(client, claude_files.session(PATH, lines))["validation"]

    assert (len(validation["errors"]), validation["errorsOmitted"]) == (200, 300)
    assert len(validation["byType"]) == 101
    assert validation["byType"]["other"] == {"valid": 0, "invalid": 400}


@pytest.mark.parametrize(
    ("address", "query", "status"),
    [
        (f"/{UNKNOWN}", {"path": PATH}, 404),
        (f"/{UNKNOWN}", {"path": "/no/such/project"}, 404),
        (f"/{UNKNOWN}", {"path": "/" + "x" * 2000}, 404),
        (f"/{UNKNOWN}", {}, 400),
        (f"/{UNKNOWN}", {"path": "relative"}, 400),
        (f"/{UNKNOWN}", {"path": PATH, "limit": 0}, 400),
        (f"/{UNKNOWN}", {"path": PATH, "offset": -1}, 400),
        ("/not-a-uuid", {"path": PATH}, 400),
        ("/..%2f" + UNKNOWN, {"path": PATH}, 400),
    ],
)
def test_what_does_not_exist_or_fit_is_refused_without_a_path(
    client: TestClient,
    claude_files: ClaudeFiles,
    address: str,
    query: dict[str, Any],
    status: int,
) -> None:
    claude_files.session(PATH, [claude_files.user()])

    answer = client.get(f"/api/claude-code/sessions{address}", params=query)

    assert answer.status_code == status
    assert str(claude_files.root) not in answer.text


def test_a_session_whose_folder_has_the_name_of_newer_versions_is_found(
    client: TestClient, claude_files: ClaudeFiles
) -> None:
    line = claude_files.user(cwd="/work/my.app_1")
    session_id = claude_files.session("/work/my-app-1", [line])

    assert read(client, session_id, path="/work/my.app_1")["items"] == [line]
