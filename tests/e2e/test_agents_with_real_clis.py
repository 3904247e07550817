"""From a label to the agent's comment: the real server, a socket, and the real programs.

The model is a script on loopback; each program has a home of its own. Where one is not installed
its test is skipped, and the stand-in for it goes the same way.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import StartServer
from tests.e2e.agent_runs import is_alive
from tests.e2e.model_server import Answer, Line, ModelServer, running, say, use, wait
from tests.e2e.programs import CLAUDE, CODEX, Program
from tests.e2e.tracker import ON_OWN_TICKET, Session, Tracker, configure
from tests.sockets import open_socket

from kombuse_sdk.processes import ServerProcess, running_server

PROGRAMS = (CLAUDE, CODEX)
SESSION_ID = re.compile(r"kombuse_session_id is (trigger-[0-9a-f-]{36})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A tracker with one agent, which a label calls to a ticket of a project with a folder."""

    tracker: Tracker
    model: ModelServer
    program: Program
    folder: Path
    agent: Any
    label: Any
    ticket: Any

    def call_agent(self) -> str:
        """Put the label on the ticket; the session that begins."""
        self.tracker.put_label(self.ticket, self.label)
        started = self.tracker.wait("agent.started", projectId=self.ticket["project_id"])
        session_id: str = started["kombuseSessionId"]
        self.tracker.socket.send({"type": "subscribe", "topics": [f"session:{session_id}"]})
        return session_id

    def state(self) -> Any:
        return self.tracker.get("/api/sync/state", project_id=self.ticket["project_id"])

    def invocation(self) -> Any:
        (found,) = self.tracker.invocations(agent_id=self.agent["id"])
        return found

    def answer(self, asked: Any, behavior: str, **fields: Any) -> None:
        names = {"kombuseSessionId": asked["sessionId"], "requestId": asked["requestId"]}
        message = {"type": "permission.response", **names, "behavior": behavior, **fields}
        self.tracker.socket.send(message)

    def comment(self, body: str) -> Line:
        """The model comments on the ticket, as the session that it was told to be."""

        def answer(request: dict[str, Any]) -> Answer:
            found = SESSION_ID.search(json.dumps(request))
            return use(
                "mcp__kombuse__add_comment",
                project_id=self.ticket["project_id"],
                ticket_number=self.ticket["ticket_number"],
                body=body,
                kombuse_session_id=found[1] if found else None,
            )

        return answer


@pytest.fixture(scope="module")
def models() -> Iterator[dict[str, ModelServer]]:
    with running(CLAUDE.speak) as claude, running(CODEX.speak) as codex:
        yield {CLAUDE.name: claude, CODEX.name: codex}


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The home of each program."""
    return {item.name: tmp_path_factory.mktemp(item.name) / "home" for item in PROGRAMS}


@pytest.fixture(scope="module")
def backends(models: dict[str, ModelServer], homes: dict[str, Path]) -> dict[str, Any]:
    """What the servers are told about the programs."""
    return {p.backend_type: {"env": p.settle(homes[p.name], models[p.name].url)} for p in PROGRAMS}


@pytest.fixture(scope="module")
def agents_server(
    tmp_path_factory: pytest.TempPathFactory, backends: dict[str, Any]
) -> Iterator[ServerProcess]:
    """One server for all: whatever a program does to it, the next test needs it."""
    with agents_at(tmp_path_factory, backends=backends) as server:
        yield server


@pytest.fixture(scope="module")
def guarded_server(
    tmp_path_factory: pytest.TempPathFactory, backends: dict[str, Any]
) -> Iterator[ServerProcess]:
    """One that answers nobody without a token."""
    with agents_at(tmp_path_factory, backends=backends, require_token=True) as server:
        yield server


@contextmanager
def agents_at(tmp_path_factory: pytest.TempPathFactory, **config: Any) -> Iterator[ServerProcess]:
    home = tmp_path_factory.mktemp("server") / "home"
    configure(home, **config)
    with running_server(home) as server:
        yield server
        assert "Traceback" not in server.output


@pytest.fixture(params=PROGRAMS, ids=[item.name for item in PROGRAMS])
def program(request: pytest.FixtureRequest) -> Program:
    found: Program = request.param
    if found is CLAUDE:
        pytest.importorskip("claude_agent_sdk", reason="claude-agent-sdk is not installed")
    return found


@pytest.fixture(params=["real", "stand-in"])
def binary(request: pytest.FixtureRequest, program: Program) -> Path:
    found = program.real if request.param == "real" else program.stand_in
    if found is None:
        pytest.skip(f"{program.name} is not installed ({program.package}); its stand-in runs")
    return found


@pytest.fixture
def desk(
    program: Program,
    binary: Path,
    models: dict[str, ModelServer],
    agents_server: ServerProcess,
    tmp_path: Path,
) -> Iterator[Desk]:
    with desk_at(agents_server, program, binary, models, tmp_path) as made:
        yield made


@pytest.fixture
def guarded_desk(
    program: Program,
    binary: Path,
    models: dict[str, ModelServer],
    guarded_server: ServerProcess,
    tmp_path: Path,
) -> Iterator[Desk]:
    with desk_at(guarded_server, program, binary, models, tmp_path) as made:
        yield made


@contextmanager
def desk_at(
    server: ServerProcess,
    program: Program,
    binary: Path,
    models: dict[str, ModelServer],
    tmp_path: Path,
) -> Iterator[Desk]:
    with open_socket(server) as socket:
        tracker = Tracker(server, socket)
        project = tracker.make.project(name=tmp_path.name, local_path=str(tmp_path))
        tracker.set(f"binaries.{program.name}.{project['id']}", str(binary))
        label = tracker.make.label(project, name="agent")
        config = {"backend_type": program.backend_type}
        agent = tracker.agent(tmp_path.name, config=config, permissions=ON_OWN_TICKET)
        conditions, people = {"label_id": label["id"]}, [{"type": "user"}]
        tracker.trigger(agent, "label.added", conditions=conditions, allowed_invokers=people)
        yield Desk(
            tracker=tracker,
            model=models[program.name],
            program=program,
            folder=tmp_path,
            agent=agent,
            label=label,
            ticket=tracker.make.ticket(project, title="It breaks"),
        )


def uses(session: Session) -> dict[str, Any]:
    """The tools that were used, with their results."""
    results = {result["toolUseId"]: result for result in session.of("tool_result")}
    return {use["name"]: results.get(use["id"]) for use in session.of("tool_use")}


def processes_at_home(home: Path) -> list[int]:
    """The processes that have this home."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"\0HOME={home}\0".encode() in b"\0" + environment.read_bytes():
                found.append(int(environment.parent.name))
    return found


COMMAND = "touch made; echo from-the-command"


def ask_act_and_comment(desk: Desk) -> Session:
    """The agent runs a command that is allowed, comments, and has done."""
    desk.model.play(desk.program.command(COMMAND), desk.comment("It is mended."), say("Done."))
    session_id = desk.call_agent()
    asked = desk.tracker.wait("agent.permission_pending", sessionId=session_id)
    desk.answer(asked, "allow")
    ended = desk.tracker.wait("agent.complete", kombuseSessionId=session_id)
    assert (ended["status"], ended["reason"]) == ("completed", "result")
    return desk.tracker.session(session_id)


def test_a_command_waits_for_the_answer_where_everybody_sees_it(desk: Desk) -> None:
    desk.model.play(desk.program.command(COMMAND), say("Done."))

    session_id = desk.call_agent()
    asked = desk.tracker.wait("agent.permission_pending", sessionId=session_id)

    assert (asked["toolName"], asked["input"]["command"]) == ("Bash", COMMAND)
    assert asked["ticketNumber"] == desk.ticket["ticket_number"] and asked["description"]
    state = desk.state()
    assert [p["permissionKey"] for p in state["pendingPermissions"]] == [asked["permissionKey"]]
    assert [s["kombuseSessionId"] for s in state["activeSessions"]] == [session_id]
    assert state["ticketAgentStatuses"][0]["status"] == "running"
    assert not (desk.folder / "made").exists()

    desk.answer(asked, "allow")
    desk.tracker.wait("agent.permission_resolved", permissionKey=asked["permissionKey"])
    desk.tracker.wait("agent.complete", kombuseSessionId=session_id)
    assert (desk.folder / "made").exists()
    state = desk.state()
    assert state["pendingPermissions"] == state["activeSessions"] == []


def test_a_label_starts_the_agent_and_its_ticket_tells_what_it_did(desk: Desk) -> None:
    session = ask_act_and_comment(desk)

    (comment,) = desk.tracker.comments(desk.ticket)
    assert (comment["body"], comment["author_id"]) == ("It is mended.", desk.agent["id"])
    assert comment["kombuse_session_id"] == session.values["kombuse_session_id"]
    told = [kind for kind in desk.tracker.timeline(desk.ticket) if kind != "ticket.created"]
    assert told == ["label.added", "agent.started", "comment.added", "agent.completed"]
    invocation = desk.invocation()
    assert (invocation["status"], invocation["attempts"]) == ("completed", 1)


def test_where_a_token_is_required_the_agent_comments_by_its_own(guarded_desk: Desk) -> None:
    desk = guarded_desk
    desk.model.play(desk.program.command(COMMAND), desk.comment("It is mended."), say("Done."))

    session_id = desk.call_agent()
    desk.answer(desk.tracker.wait("agent.permission_pending", sessionId=session_id), "allow")
    desk.tracker.wait("agent.complete", kombuseSessionId=session_id, status="completed")

    session = desk.tracker.session(session_id)
    used = uses(session)
    assert not used["mcp__kombuse__add_comment"].get("isError"), used
    (comment,) = desk.tracker.comments(desk.ticket)
    assert (comment["body"], comment["author_id"]) == ("It is mended.", desk.agent["id"])
    token = str(desk.tracker.server.token)
    assert token not in json.dumps(session.events)
    assert token not in desk.tracker.server.output


def test_the_session_records_every_step_and_streams_it(desk: Desk) -> None:
    session = ask_act_and_comment(desk)

    assert session.ending == ("completed", None)
    assert session.values["effective_backend"] == desk.program.backend_type
    assert session.values["output_tokens"] > 0
    used = uses(session)
    assert "from-the-command" in str(used["Bash"]["content"])
    assert not used["mcp__kombuse__add_comment"].get("isError")
    (asked,) = [r for r in session.of("permission_request") if not r.get("autoApproved")]
    (answer,) = session.of("permission_response")
    assert (answer["requestId"], answer["behavior"]) == (asked["requestId"], "allow")
    assert session.of("message")[-1]["content"] == "Done."
    streamed = [m for m in desk.tracker.heard if m["type"] == "agent.event"]
    kinds = {message["event"]["type"] for message in streamed}
    assert {"tool_use", "permission_request", "tool_result"} <= kinds
    numbers = [message["seq"] for message in streamed]
    assert numbers == sorted(set(numbers))


def test_a_denied_command_does_not_run_and_the_agent_goes_on(desk: Desk) -> None:
    tracker = desk.tracker
    desk.model.play(desk.program.command("touch made"), say("A pity."))

    session_id = desk.call_agent()
    asked = tracker.wait("agent.permission_pending", sessionId=session_id)
    desk.answer(asked, "deny", message="not on my machine")
    ended = tracker.wait("agent.complete", kombuseSessionId=session_id)

    assert ended["status"] == "completed"
    assert not (desk.folder / "made").exists()
    session = tracker.session(session_id)
    (answer,) = session.of("permission_response")
    assert (answer["behavior"], answer["message"]) == ("deny", "not on my machine")
    assert uses(session)["Bash"]["isError"]
    (entry,) = tracker.get(f"/api/projects/{desk.ticket['project_id']}/permissions")
    assert (entry["behavior"], entry["deny_message"]) == ("deny", "not on my machine")
    # Who said nothing on the ticket is quoted there.
    (comment,) = tracker.comments(desk.ticket)
    assert (comment["body"], comment["author_id"]) == ("A pity.", desk.agent["id"])


@pytest.mark.parametrize("moment", ["thinking", "asking"])
def test_a_stop_in_the_middle_of_a_turn(desk: Desk, moment: str, homes: dict[str, Path]) -> None:
    tracker = desk.tracker
    desk.model.play(wait() if moment == "thinking" else desk.program.command("touch made"))

    session_id = desk.call_agent()
    if moment == "thinking":
        assert desk.model.waiting.wait(15)
    else:
        tracker.wait("agent.permission_pending", sessionId=session_id)
    tracker.socket.send({"type": "agent.stop", "kombuseSessionId": session_id})
    ended = tracker.wait("agent.complete", kombuseSessionId=session_id)

    assert (ended["status"], ended["reason"]) == ("aborted", "user_stop")
    session = tracker.session(session_id)
    assert session.ending == ("aborted", "user_stop")
    invocation = desk.invocation()
    assert (invocation["status"], invocation["error"]) == ("failed", "session_aborted")
    assert tracker.timeline(desk.ticket)[-1] == "agent.failed"
    state = desk.state()
    assert state["pendingPermissions"] == state["activeSessions"] == []
    assert not (desk.folder / "made").exists()
    tracker.until(lambda: not processes_at_home(homes[desk.program.name]), "the program ends")


def test_a_mention_goes_on_with_the_conversation(desk: Desk) -> None:
    tracker = desk.tracker
    tracker.trigger(
        desk.agent, "mention.created", conditions={"mentioned_profile_id": desk.agent["id"]}
    )
    desk.model.play(say("I shall remember 4711."))
    session_id = desk.call_agent()
    tracker.wait("agent.complete", kombuseSessionId=session_id)

    desk.model.play(say("It was 4711."))
    tracker.make.comment(desk.ticket, body=f"@[you]({desk.agent['id']}) what was it?")
    ended = tracker.wait("agent.complete", 2, kombuseSessionId=session_id)

    assert ended["status"] == "completed"
    assert "I shall remember 4711." in desk.model.said()
    session = tracker.session(session_id)
    assert session.kinds == ["message"] * 4
    assert "what was it?" in session.of("message")[2]["content"]


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the system has no /proc")
def test_what_a_killed_server_was_at_is_done_once_by_the_next(
    program: Program,
    binary: Path,
    models: dict[str, ModelServer],
    start_server: StartServer,
    tmp_path: Path,
) -> None:
    """The program outlives the server and would go on beside the one that takes its place."""
    model, agent_home = models[program.name], tmp_path / "agent-home"
    settled = {"env": program.settle(agent_home, model.url)}
    binaries = {program.name: str(binary)}
    configure(tmp_path / "home", backends={program.backend_type: settled}, binaries=binaries)
    model.play(wait())
    server = start_server()
    with open_socket(server) as socket:
        tracker = Tracker(server, socket)
        tracker.trigger(
            tracker.agent(config={"backend_type": program.backend_type}), "ticket.created"
        )
        ticket = tracker.make.ticket(tracker.make.project())
        assert model.waiting.wait(15)
        left = processes_at_home(agent_home)
        server.kill()
    assert left
    model.play(say("Done."))
    server = start_server()
    with open_socket(server) as socket:
        tracker = Tracker(server, socket)
        tracker.until(lambda: len(tracker.comments(ticket)) > 0)

        assert [comment["body"] for comment in tracker.comments(ticket)] == ["Done."]
        (invocation,) = tracker.invocations()
        assert (invocation["status"], invocation["attempts"]) == ("completed", 1)
        assert not any(map(is_alive, left))


BROKEN = {
    "crash": ("process_exit", "exited with code 3\nout of luck"),
    "garbage": ("process_exit", "exited with code 0"),
    "hang": ("backend_timeout", "The turn timed out: it took longer than 1.5 s"),
    "silent": ("backend_timeout", "The turn timed out: it took longer than 1.5 s"),
    "flood": ("process_exit", "printed 1000 lines in a row that are no messages"),
    "missing": ("agent_error", "not found. Install "),
}


class TestBroken:
    """Programs that fail, each in its own way."""

    @pytest.fixture(params=BROKEN)
    def mood(self, request: pytest.FixtureRequest) -> str:
        found: str = request.param
        return found

    @pytest.fixture
    def binary(self, program: Program, mood: str, tmp_path: Path) -> Path:
        path = tmp_path / program.name
        if mood != "missing":
            run = f'STAND_IN={mood} exec "{program.stand_in}" "$@"'
            if mood == "silent":
                run = '[ "$1" = --version ] && echo 2.1.0 || exec sleep 600'
            path.write_text(f"#!/bin/sh\n{run}\n", encoding="utf-8")
            path.chmod(0o700)
        return path

    def test_a_broken_program_fails_alone_and_with_its_reason(
        self, desk: Desk, mood: str, homes: dict[str, Path]
    ) -> None:
        reason, error = BROKEN[mood]
        tracker = desk.tracker
        patient = {"backend_type": desk.program.backend_type, "timeout_ms": 1500}
        impatient = tracker.server.http.patch(
            f"/api/agents/{desk.agent['id']}", json={"config": patient}
        )
        assert impatient.status_code == 200
        desk.model.play(say("Done."))

        session_id = desk.call_agent()
        ended = tracker.wait("agent.complete", kombuseSessionId=session_id)

        assert (ended["status"], ended["reason"]) == ("failed", reason)
        assert error in ended["errorMessage"]
        session = tracker.session(session_id)
        assert session.ending == ("failed", reason)
        assert error in session.of("error")[-1]["message"]
        assert session.kinds[-1] == "error"
        invocation = desk.invocation()
        assert invocation["status"] == "failed" and error in invocation["error"]
        assert tracker.timeline(desk.ticket)[-1] == "agent.failed"
        assert desk.state()["ticketAgentStatuses"][0]["status"] == "error"
        if mood == "hang":
            (child,) = homes[desk.program.name].rglob("child")
            assert not is_alive(int(child.read_text(encoding="utf-8")))

        self.run_with_a_program_that_works(desk)

    def run_with_a_program_that_works(self, desk: Desk) -> None:
        tracker, project_id = desk.tracker, desk.ticket["project_id"]
        tracker.set(f"binaries.{desk.program.name}.{project_id}", str(desk.program.stand_in))
        other = tracker.make.ticket({"id": project_id})
        tracker.put_label(other, desk.label)

        started = tracker.wait("agent.started", ticketNumber=other["ticket_number"])
        ended = tracker.wait("agent.complete", kombuseSessionId=started["kombuseSessionId"])
        assert ended["status"] == "completed"
