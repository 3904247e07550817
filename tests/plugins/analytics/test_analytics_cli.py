"""`kombuse analytics` against a real server."""

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
def project(server: ServerProcess) -> Any:
    made = server.http.post("/api/projects", json={"name": "Cli", "owner_id": "user-1"}).json()
    body = {"project_id": made["id"], "author_id": "user-1", "title": "t", "status": "closed"}
    server.http.post("/api/tickets", json=body).raise_for_status()
    return made


def test_a_report_is_a_table(cli: CommandLine, project: Any) -> None:
    ended = cli.run("analytics", "throughput", "--project", project["slug"], "--group-by", "total")

    assert ended.code == 0
    heading, row = ended.out.splitlines()
    assert heading.split() == ["DATE", "CREATED", "CLOSED", "AVG", "P50", "P90", "P99"]
    assert row.split()[1:] == ["1", "1", "0", "0", "0", "0"]


def test_a_report_can_be_json_or_csv(cli: CommandLine, project: Any) -> None:
    burndown = ("analytics", "ticket-burndown", "--project", project["slug"], "--days", "1")

    rows = cli.run(*burndown, "--json").json
    lines = cli.run(*burndown, "--csv").out.splitlines()

    assert [(row["total"], row["closed"]) for row in rows] == [(0, 0), (1, 1)]
    assert lines[0] == "date,total,open,closed,ideal"
    assert lines[2] == f"{rows[1]['date']},1,0,1,"


def test_a_report_of_nothing_says_so(cli: CommandLine, project: Any) -> None:
    ended = cli.run("analytics", "slowest-tools", "--project", project["slug"])

    assert (ended.code, ended.out) == (0, "There is nothing yet.\n")


def test_a_report_that_does_not_exist_is_wrong_usage(cli: CommandLine) -> None:
    assert cli.run("analytics", "fastest-tools").code == 2


def test_what_the_server_refuses_is_told(cli: CommandLine, project: Any) -> None:
    ended = cli.run("analytics", "costs", "--project", project["slug"], "--from", "2025-02-30")

    assert ended.code == 1
    assert "from: " in ended.err
