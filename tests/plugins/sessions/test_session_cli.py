"""`kombuse session` against a real server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.command_line import CommandLine

from kombuse_sdk.processes import ServerProcess


@pytest.fixture
def cli(server: ServerProcess, command_line: Callable[[Path], CommandLine]) -> CommandLine:
    return command_line(server.home)


@pytest.fixture
def made(server: ServerProcess) -> Callable[..., str]:
    """Makes a session of a scripted agent that was told something."""

    def make(*steps: dict[str, Any]) -> str:
        http = server.http
        project = http.post("/api/projects", json={"name": "Cli", "owner_id": "user-1"}).json()
        agent = http.post(
            "/api/agents",
            json={
                "name": "Mo",
                "description": "x",
                "system_prompt": "x",
                "project_id": project["id"],
                "config": {
                    "backend_type": "mock",
                    "enabled_for_chat": True,
                    "mock": {"steps": list(steps)},
                },
            },
        ).json()
        body = {"agent_id": agent["id"], "project_id": project["id"]}
        session: str = http.post("/api/sessions", json=body).json()["kombuse_session_id"]
        http.post(f"/api/sessions/{session}/messages", json={"message": "Begin"})
        return session

    return make


def test_tail_follows_a_turn_to_its_end(cli: CommandLine, made: Callable[..., str]) -> None:
    session = made({"message": "One"}, {"tool_use": "Read", "input": {"path": "a"}}, {"delay": 0.1})

    ended = cli.run("session", "tail", session)

    assert ended.code == 0
    assert "user: Begin" in ended.out
    assert "assistant: One" in ended.out
    assert '> Read {"path": "a"}' in ended.out


def test_tail_takes_the_last_session_unless_one_is_named(
    cli: CommandLine, made: Callable[..., str], server: ServerProcess
) -> None:
    made({"message": "One"})
    project = server.http.get("/api/projects", params={"limit": 1}).json()[0]["slug"]
    empty = server.http.post("/api/projects", json={"name": "Empty", "owner_id": "user-1"}).json()

    assert "assistant: One" in cli.run("session", "tail", "--project", project).out
    assert "no session yet" in cli.run("session", "tail", "--project", empty["slug"]).err


def test_list_and_show_tell_about_a_session(cli: CommandLine, made: Callable[..., str]) -> None:
    session = made({"message": "One"})
    cli.run("session", "tail", session)

    listed = cli.run("session", "list", "--all", "--status", "completed", "--json")
    shown = cli.run("session", "show", session)

    assert session in [item["kombuse_session_id"] for item in listed.json]
    assert "completed" in shown.out
    assert "Mo" in shown.out


def test_stop_ends_a_turn_and_says_when_nothing_runs(
    cli: CommandLine, made: Callable[..., str]
) -> None:
    session = made({"message": "One"}, {"hang": True})
    cli.run("session", "tail", session, "--no-follow")

    assert cli.run("session", "stop", session).code == 0
    tail = cli.run("session", "tail", session, "--json")
    again = cli.run("session", "stop", session)

    assert json.loads(tail.out.splitlines()[0])["event_type"] == "message"
    assert (again.code, "nothing runs" in again.err) == (1, True)


def test_an_unknown_session_is_refused(cli: CommandLine) -> None:
    ended = cli.run("session", "show", "chat-none")

    assert (ended.code, "Session not found" in ended.err) == (1, True)
