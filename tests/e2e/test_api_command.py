"""`kombuse api` against a real server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import CommandLine, Ended

from kombuse_sdk.processes import ServerProcess

Run = Callable[..., Ended]
TEXT = {"profile_id": "user-1", "setting_key": "theme"}


@pytest.fixture
def api(server: ServerProcess, command_line: Callable[[Path], CommandLine]) -> Run:
    line = command_line(server.home)
    return lambda *arguments, **options: line.run_process("api", *arguments, **options)


@pytest.mark.parametrize("path", ["/api/profiles/user-1", "/profiles/user-1", "profiles/user-1"])
def test_a_path_may_leave_out_what_all_have_in_common(api: Run, path: str) -> None:
    ended = api("get", path)

    assert (ended.code, ended.err) == (0, "")
    assert ended.json["id"] == "user-1"


def test_the_answer_is_printed_as_it_came(api: Run, server: ServerProcess) -> None:
    assert api("GET", "/api/profiles").out == server.http.get("/api/profiles").text
    assert api("GET", "/health").json == {"status": "ok"}


def test_a_body_comes_from_the_line_from_a_file_from_the_input_or_from_fields(
    api: Run, tmp_path: Path
) -> None:
    def body(value: str) -> str:
        return json.dumps(TEXT | {"setting_value": value}, ensure_ascii=False)

    (tmp_path / "body.json").write_text(body("é file"), encoding="utf-8")
    pairs = [f"--field={key}={value}" for key, value in TEXT.items()]
    cases: list[tuple[list[str], dict[str, Any], str]] = [
        ([body("inline")], {}, "inline"),
        ([f"@{tmp_path / 'body.json'}"], {}, "é file"),
        (["-"], {"input": body("input")}, "input"),
        ([*pairs, "--field=setting_value=a=b:=c"], {}, "a=b:=c"),
    ]

    for arguments, options, value in cases:
        ended = api("PUT", "profile-settings", *arguments, **options)
        assert (ended.code, ended.err) == (0, "")
        assert ended.json["setting_value"] == value


def test_fields_hold_json_and_become_the_query_of_a_read(api: Run) -> None:
    made = api("POST", "projects", "-f", "name=By field", "-f", "owner_id=user-1").json
    fields = ("-f", f"project_id={made['id']}", "-f", "title=12", "-f", "author_id=user-1")
    ticket = api("POST", "tickets", *fields, "-f", "priority:=3", "-f", "label_ids:=[]").json
    assert (ticket["title"], ticket["priority"]) == ("12", 3)

    found = api("GET", "tickets?limit=5", "-f", f"project_id={made['id']}", "-f", "search=12 & 3")
    assert found.json == []
    assert len(api("GET", "tickets", "-f", f"project_id={made['id']}").json) == 1


def test_a_refusal_prints_the_answer_and_its_reason_and_ends_with_one(api: Run) -> None:
    ended = api("GET", "/api/profiles/nobody")

    assert (ended.code, ended.json) == (1, {"error": "Profile not found"})
    assert ended.err == "error: Profile not found\n"


def test_status_and_headers_are_printed_on_demand(api: Run) -> None:
    ended = api("DELETE", "/api/profiles/user-1/settings/none", "--include")

    lines = ended.out.splitlines()
    assert (ended.code, lines[0]) == (1, "HTTP/1.1 404 Not Found")
    assert "content-type: application/json" in [line.lower() for line in lines]
    assert json.loads(lines[-1])["error"] == ended.err.removeprefix("error: ").strip()


def test_a_successful_delete_prints_nothing(api: Run) -> None:
    api("PUT", "profile-settings", json.dumps(TEXT | {"setting_value": "x"}))

    ended = api("DELETE", "/api/profiles/user-1/settings/theme")

    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("GET", "http://127.0.0.1:1/api/profiles"),
        ("GET", "HTTPS://elsewhere.test/"),
        ("GET", "//elsewhere.test/api/profiles"),
        ("GET", "\\\\elsewhere.test\\api"),
        ("GET", "file:///etc/passwd"),
        ("FETCH", "profiles"),
        ("POST", "profiles", "{"),
        ("POST", "profiles", "@nowhere.json"),
        ("POST", "profiles", "{}", "-f", "a=b"),
        ("POST", "profiles", "-f", "name"),
        ("POST", "profiles", "-f", "a:={"),
        ("GET",),
    ],
)
def test_a_wrong_use_sends_nothing_and_ends_with_two(api: Run, arguments: tuple[str, ...]) -> None:
    ended = api(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err


def test_a_path_cannot_smuggle_a_request_in(api: Run) -> None:
    ended = api("GET", "/api/profiles/x HTTP/1.1\r\nHost: evil.test\r\n\r\nGET /health")

    assert (ended.code, "error" in ended.json) == (1, True)


def test_without_a_server_the_exit_code_says_so(
    command_line: Callable[[Path], CommandLine], tmp_path: Path
) -> None:
    ended = command_line(tmp_path / "none").run("api", "GET", "profiles")

    assert (ended.code, ended.out) == (3, "")
    assert "kombuse serve" in ended.err


def test_json_is_laid_out_on_a_terminal(
    server: ServerProcess,
    command_line: Callable[[Path], CommandLine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = command_line(server.home)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    assert line.run("api", "GET", "/health").out == '{\n  "status": "ok"\n}\n'
