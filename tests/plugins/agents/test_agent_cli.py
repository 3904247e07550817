"""`kombuse agent`."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.command_line import CommandLine
from websockets.sync.server import ServerConnection, serve

from kombuse_plugins.agents.cli_run import run_turn
from kombuse_sdk.client import NotRunning
from kombuse_sdk.console import CommandError
from kombuse_sdk.processes import ServerProcess, running_server

SESSION = "chat-11111111-1111-4111-8111-111111111111"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with running_server(tmp_path_factory.mktemp("agents") / "home") as process:
        project = {"name": "Demo", "owner_id": "user-1"}
        process.http.post("/api/projects", json=project)
        yield process


@pytest.fixture
def command(server: ServerProcess, command_line: Callable[[Path], CommandLine]) -> CommandLine:
    return command_line(server.home)


def create(command: CommandLine, name: str, *options: str) -> Any:
    made = command.run(
        *("agent", "create", name, "--description", f"about {name}"),
        *("--prompt", f"I am {name}.", "--json", *options),
    )
    assert made.code == 0, made.err
    return made.json


def test_an_agent_is_created_with_what_the_options_say(command: CommandLine) -> None:
    made = create(
        command,
        "First",
        *("--type", "coder", "--backend", "mock", "--model", "m", "--chat", "--disabled"),
        *("--project", "demo", "--slug", "number-one"),
    )

    assert made["slug"] == "number-one"
    assert made["is_enabled"] is False
    assert made["project_id"]
    assert made["config"] == {
        "type": "coder",
        "backend_type": "mock",
        "model": "m",
        "enabled_for_chat": True,
    }


def test_a_prompt_may_come_from_a_file(command: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text("From a file.\n", encoding="utf-8")

    made = command.run(
        "agent", "create", "Filed", "--description", "d", "--prompt-file", "prompt.md"
    )
    shown = command.run("agent", "show", "filed")

    assert made.out.startswith("filed: created, id ")
    assert "From a file." in shown.out


def test_without_a_prompt_no_agent_is_created(command: CommandLine) -> None:
    ended = command.run("agent", "create", "X", "--description", "d")

    assert ended.code == 2
    assert "there is no prompt" in ended.err


def test_agents_are_listed(command: CommandLine) -> None:
    create(command, "Listed", "--chat")
    create(command, "Resting", "--disabled")

    chat = command.run("agent", "list", "--chat", "--enabled", "--json").json
    table = command.run("agent", "list").out
    local = command.run("agent", "list", "--project", "demo", "--json").json

    assert {agent["name"] for agent in chat} == {"Listed"}
    assert "Listed" in table
    assert "disabled" in table
    assert {"Listed", "Resting"} <= {agent["name"] for agent in local}


def test_one_agent_is_shown_with_its_triggers_by_slug_or_id(
    command: CommandLine, server: ServerProcess
) -> None:
    made = create(command, "Shown")
    body = {"event_type": "ticket.created"}
    server.http.post(f"/api/agents/{made['id']}/triggers", json=body)

    text = command.run("agent", "show", made["id"]).out
    value = command.run("agent", "show", "shown", "--json").json

    assert "ticket.created" in text
    assert "I am Shown." in text
    assert [trigger["event_type"] for trigger in value["triggers"]] == ["ticket.created"]
    assert value["profile"]["name"] == "Shown"


def test_an_unknown_agent_is_an_error(command: CommandLine) -> None:
    ended = command.run("agent", "show", "nobody")

    assert (ended.code, ended.err) == (1, "error: Agent not found\n")


def test_agents_are_exported_to_a_folder(command: CommandLine, tmp_path: Path) -> None:
    create(command, "Exported")

    done = command.run("agent", "export", "out", "exported")

    assert done.out == f"1 agents written to {tmp_path / 'out'}\n"
    assert (tmp_path / "out" / "exported.md").is_file()


def test_a_run_needs_a_ticket_or_a_message(command: CommandLine) -> None:
    create(command, "Idle")

    nothing = command.run("agent", "run", "idle")
    missing = command.run("agent", "run", "idle", "--ticket", "99", "--project", "demo")

    assert (nothing.code, nothing.err) == (
        2,
        "error: there is nothing to do: give --ticket or --message\n",
    )
    assert (missing.code, missing.err) == (1, "error: Ticket not found\n")


@contextmanager
def answering(*messages: dict[str, Any] | str) -> Iterator[tuple[int, list[Any]]]:
    """A server at /ws that answers the first message with these, and ends the connection."""
    received: list[Any] = []

    def handle(socket: ServerConnection) -> None:
        received.append(json.loads(socket.recv()))
        for message in messages:
            socket.send(message if isinstance(message, str) else json.dumps(message))

    with serve(handle, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server.socket.getsockname()[1], received
        server.shutdown()
        thread.join()


def complete(status: str = "completed", **more: Any) -> dict[str, Any]:
    return {"type": "agent.complete", "kombuseSessionId": SESSION, "status": status, **more}


def event(**fields: Any) -> dict[str, Any]:
    return {"type": "agent.event", "kombuseSessionId": SESSION, "event": fields}


def test_a_turn_is_shown_until_it_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    messages = [
        {"type": "agent.started", "kombuseSessionId": SESSION},
        event(type="message", role="user", content="hidden"),
        event(type="tool_use", name="Bash", input={"command": "ls\n-l"}),
        event(type="error", message="went wrong"),
        {"type": "agent.permission_pending", "description": "List \x1b[31mfiles"},
        event(type="message", role="assistant", content="All\ndone."),
        complete(),
        event(type="message", role="assistant", content="too late"),
    ]
    with answering("[]", *messages) as (port, received):
        run_turn(port, {"message": "go", "agentId": "a"}, as_json=False)

    printed = capsys.readouterr()
    assert received == [{"type": "agent.invoke", "message": "go", "agentId": "a"}]
    assert printed.out.splitlines() == [
        f"session {SESSION}",
        '> Bash {"command": "ls\\n-l"}',
        "All",
        "done.",
    ]
    assert printed.err.splitlines() == [
        "warning: went wrong",
        "warning: waits for approval: List  [31mfiles (see `kombuse approvals`)",
    ]


def test_a_turn_is_shown_as_messages_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(complete()) as (port, _):
        run_turn(port, {"message": "go"}, as_json=True)

    assert json.loads(capsys.readouterr().out) == complete()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (complete("failed", errorMessage="no CLI"), "the agent failed: no CLI"),
        (complete("aborted", reason="user_stop"), "the agent aborted: user_stop"),
        ({"type": "error", "message": "Agent is disabled"}, "Agent is disabled"),
        ({"type": "pong"}, "the server ended the connection before the agent was done"),
    ],
)
def test_a_turn_that_does_not_complete_is_an_error(answer: dict[str, Any], error: str) -> None:
    with answering(answer) as (port, _), pytest.raises(CommandError, match=error):
        run_turn(port, {"message": "go"}, as_json=False)


def test_no_server_is_an_error() -> None:
    with answering() as (port, _):
        pass

    with pytest.raises(NotRunning, match=f"the connection to the server at port {port} failed"):
        run_turn(port, {"message": "go"}, as_json=False)


def test_an_interrupted_turn_stops_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(message: Any) -> None:
        raise KeyboardInterrupt

    sent: list[Any] = []

    def handle(socket: ServerConnection) -> None:
        socket.recv()
        socket.send(json.dumps({"type": "agent.started", "kombuseSessionId": SESSION}))
        sent.append(json.loads(socket.recv()))

    monkeypatch.setattr("kombuse_plugins.agents.cli_run._show", interrupt)
    with serve(handle, "127.0.0.1", 0) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        with pytest.raises(CommandError, match="interrupted"):
            run_turn(port, {"message": "go"}, as_json=False)
        server.shutdown()
        thread.join()

    assert sent == [{"type": "agent.stop", "kombuseSessionId": SESSION}]


def test_a_trigger_starts_the_agent_on_an_event(
    command: CommandLine, server: ServerProcess
) -> None:
    agent = create(command, "Starter")
    label = server.http.post("/api/projects/demo/labels", json={"name": "Build it"}).json()

    made = command.run("agent", "trigger", "starter", "ticket.created")
    labelled = command.run(
        *("agent", "trigger", "starter", "label.added", "--label", "build IT"),
        *("--project", "demo", "--json"),
    )
    mentioned = command.run("agent", "trigger", "starter", "mention.created", "--json")
    unknown = command.run("agent", "trigger", "starter", "label.added", "-l", "x", "-p", "demo")

    assert (made.code, made.out) == (0, "starter: starts on ticket.created\n")
    assert labelled.json["conditions"] == {"label_id": label["id"]}
    assert labelled.json["project_id"] == label["project_id"]
    assert mentioned.json["conditions"] == {"mentioned_profile_id": agent["id"]}
    assert (unknown.code, unknown.err) == (1, "error: the project has no label x\n")
