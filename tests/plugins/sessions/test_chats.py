"""Chats: a person talks, an agent answers, and everything is in the record."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.plugins.sessions.fake_agents import (
    Agents,
    FakeBackend,
    FakeRun,
    Heard,
    Record,
    Wire,
    said,
    waits,
)

from kombuse_sdk.agents import (
    AgentEvent,
    BackendFailed,
    Decision,
    PermissionRequest,
    ResumeFailed,
    TurnEnd,
)
from kombuse_sdk.errors import BadRequest, KombuseError, NotFound
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


def chat(client: TestClient, **body: Any) -> str:
    answer = client.post("/api/sessions", json=body)
    assert answer.status_code == 201, answer.text
    session_id: str = answer.json()["kombuse_session_id"]
    return session_id


@pytest.fixture
def agent(agents: Agents) -> dict[str, Any]:
    return agents.make()


@pytest.fixture
def session_id(client: TestClient, agent: dict[str, Any]) -> str:
    return chat(client, agent_id=agent["id"])


def test_a_turn_is_recorded_streamed_and_completed(
    session_id: str, wire: Wire, heard: Heard, record: Record
) -> None:
    wire.send("agent.invoke", message="Hello", kombuseSessionId=session_id, userEventId="u1")
    heard.wait("agent.complete", kombuseSessionId=session_id, status="completed", reason="result")

    session = record.session(session_id)
    assert session["status"] == "completed"
    assert session["agent_name"] == "Ada"
    assert session["prompt_preview"] == "Hello"
    assert session["backend_session_id"] == "backend-1"
    assert (session["input_tokens"], session["output_tokens"]) == (10, 5)
    events = record.events(session_id)
    assert [event["seq"] for event in events] == [1, 2, 3]
    assert [event["event_type"] for event in events] == ["message", "raw", "message"]
    assert events[0]["payload"]["eventId"] == "u1"
    assert events[2]["payload"]["content"] == "echo: Hello"
    streamed = [m["event"]["eventId"] for m in heard.of("agent.event")]
    assert streamed == [event["payload"]["eventId"] for event in events]


def test_messages_go_to_the_session_and_to_the_sender(
    session_id: str, wire: Wire, heard: Heard
) -> None:
    wire.send("chat", session_id=session_id, message="Hello", client="c7")
    heard.wait("agent.complete")

    topic = f"session:{session_id}"
    sent = {m["type"]: (topics, sender) for topics, m, sender in heard.messages}
    assert sent["agent.started"] == ((topic, "*"), "c7")
    assert sent["agent.event"] == ((topic,), "c7")
    assert sent["agent.complete"] == ((topic, "*"), "c7")


def test_absent_fields_are_left_out_of_messages(session_id: str, wire: Wire, heard: Heard) -> None:
    wire.send("chat", session_id=session_id, message="Hello")

    started, done = heard.wait("agent.started"), heard.wait("agent.complete")
    assert "ticketNumber" not in started
    assert "errorMessage" not in done
    assert started["effectiveBackend"] == "codex"


def test_a_second_message_uses_the_same_backend(
    session_id: str, wire: Wire, heard: Heard, record: Record, backend: FakeBackend
) -> None:
    for count in (1, 2):
        wire.send("chat", session_id=session_id, message=f"m{count}")
        heard.wait("agent.complete", count)

    assert len(backend.runs) == 1
    assert backend.messages == ["m1", "m2"]
    assert len(heard.of("agent.started")) == 2
    assert [e["seq"] for e in record.events(session_id)] == [1, 2, 3, 4, 5]
    assert record.session(session_id)["cost_usd"] == 0.5


def test_messages_during_a_turn_wait_for_its_end(
    session_id: str, wire: Wire, heard: Heard, backend: FakeBackend
) -> None:
    backend.script = waits
    for number in range(3):
        wire.send("chat", session_id=session_id, message=f"m{number}")

    heard.wait("agent.complete", 3)

    turns = ("agent.started", "agent.complete")
    kinds = [m["type"] for _, m, _ in heard.messages if m["type"] in turns]
    assert kinds == [*turns] * 3
    assert backend.messages == ["m0", "m1", "m2"]


def test_a_new_session_is_made_for_a_message_without_one(
    agent: dict[str, Any], wire: Wire, heard: Heard, record: Record, project: Any, make: Factory
) -> None:
    ticket = make.ticket(project)

    wire.send(
        "agent.invoke",
        message="Hi",
        agentId=agent["id"],
        projectId=project["slug"],
        ticketNumber=ticket["ticket_number"],
    )

    session = record.session(heard.wait("agent.complete")["kombuseSessionId"])
    assert session["kombuse_session_id"].startswith("chat-")
    assert session["project_id"] == project["id"]
    assert session["ticket_number"] == ticket["ticket_number"]


def test_a_client_may_choose_the_id_of_a_new_session(
    agent: dict[str, Any], wire: Wire, heard: Heard, record: Record
) -> None:
    chosen = f"chat-{uuid.uuid4()}"

    wire.send("agent.invoke", message="Hi", agentId=agent["id"], kombuseSessionId=chosen)

    heard.wait("agent.complete", kombuseSessionId=chosen)
    assert record.session(chosen)["agent_id"] == agent["id"]


def test_a_chat_needs_no_agent(wire: Wire, heard: Heard, record: Record) -> None:
    wire.send("agent.invoke", message="Hi", backendType="codex")

    session = record.session(heard.wait("agent.complete")["kombuseSessionId"])
    assert (session["status"], session["agent_id"]) == ("completed", None)


@pytest.mark.parametrize("name", ["chat", "nope", "chat-1", "CHAT-x"])
def test_a_malformed_id_is_refused(wire: Wire, name: str) -> None:
    with pytest.raises(ValueError, match="Expected a session id"):
        wire.send("agent.invoke", message="Hi", kombuseSessionId=name)


def test_a_chat_with_an_unknown_session_is_refused(wire: Wire) -> None:
    with pytest.raises(NotFound, match="Session not found"):
        wire.send("chat", session_id=f"chat-{uuid.uuid4()}", message="Hi")


def test_agents_that_may_not_chat_are_refused(
    agents: Agents, client: TestClient, wire: Wire
) -> None:
    silent = agents.make(name="Silent", enabled_for_chat=False)
    disabled = agents.make(name="Off")
    client.patch(f"/api/agents/{disabled['id']}", json={"is_enabled": False})

    cases = {silent["id"]: "not enabled for chat", disabled["id"]: "is disabled"}
    for agent_id, message in cases.items():
        with pytest.raises(BadRequest, match=message):
            wire.send("agent.invoke", message="Hi", agentId=agent_id)
    with pytest.raises(NotFound, match="Agent nobody not found"):
        wire.send("agent.invoke", message="Hi", agentId="nobody")


@pytest.mark.parametrize(
    "fields", [{"projectId": "nowhere"}, {"backendType": "toaster"}, {"message": "  "}]
)
def test_bad_references_leave_no_session_behind(
    wire: Wire, record: Record, fields: dict[str, Any]
) -> None:
    with pytest.raises(KombuseError):
        wire.send("agent.invoke", **{"message": "Hi", **fields})

    assert record.sessions() == []


def test_stopping_a_turn_aborts_the_session(
    session_id: str, wire: Wire, heard: Heard, record: Record, backend: FakeBackend
) -> None:
    async def hangs(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield said("working")
        await run.interrupted.wait()
        yield TurnEnd(success=False, reason="stopped", error="Interrupted")

    backend.script = hangs
    wire.send("chat", session_id=session_id, message="go")
    heard.wait("agent.event", 3)

    wire.send("agent.stop", kombuseSessionId=session_id)

    done = heard.wait("agent.complete", status="aborted", reason="user_stop")
    assert done["errorMessage"] == "Stopped by user"
    session = record.session(session_id)
    assert session["metadata"]["terminal_source"] == "runtime"
    assert session["aborted_at"]
    assert session["backend_session_id"] == "backend-1"
    assert backend.runs[0].closed


def test_a_backend_that_ignores_an_interrupt_is_cut_off(
    session_id: str,
    wire: Wire,
    heard: Heard,
    backend: FakeBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def deaf(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield said("working")
        await asyncio.Event().wait()

    monkeypatch.setattr("kombuse_plugins.sessions.live._INTERRUPT_SECONDS", 0.05)
    backend.script = deaf
    wire.send("chat", session_id=session_id, message="go")
    heard.wait("agent.event", 3)

    wire.send("stop_session", session_id=session_id)

    heard.wait("agent.complete", status="aborted")


def test_stopping_an_idle_backend_stops_the_session(
    session_id: str, wire: Wire, heard: Heard, record: Record
) -> None:
    wire.send("chat", session_id=session_id, message="go")
    heard.wait("agent.complete", status="completed")

    wire.send("agent.stop", kombuseSessionId=session_id)

    heard.wait("agent.complete", status="stopped", reason="user_stop")
    session = record.session(session_id)
    assert session["status"] == "stopped"
    assert session["completed_at"]
    with pytest.raises(NotFound, match="No active agent to stop"):
        wire.send("agent.stop", kombuseSessionId=session_id)


def test_an_idle_backend_ends_after_its_time(
    session_id: str, wire: Wire, heard: Heard, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KOMBUSE_BACKEND_IDLE_TIMEOUT_MS", "50")

    wire.send("chat", session_id=session_id, message="go")

    heard.wait("agent.complete", status="stopped", reason="idle_timeout")
    assert record.session(session_id)["metadata"]["terminal_source"] == "idle_timeout"


def test_a_silent_turn_is_aborted(
    session_id: str,
    wire: Wire,
    heard: Heard,
    backend: FakeBackend,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def silent(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        await run.interrupted.wait()
        yield TurnEnd(success=False)

    monkeypatch.setenv("KOMBUSE_IDLE_TURN_TIMEOUT_MS", "50")
    backend.script = silent

    wire.send("chat", session_id=session_id, message="go")

    heard.wait("agent.complete", status="aborted", reason="idle_turn_timeout")


def test_a_turn_has_the_time_that_the_agent_allows(
    client: TestClient, agents: Agents, wire: Wire, heard: Heard, backend: FakeBackend
) -> None:
    async def slow(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        while not run.interrupted.is_set():
            yield said("still")
            await asyncio.sleep(0.01)
        yield TurnEnd(success=False)

    backend.script = slow
    session_id = chat(client, agent_id=agents.make(timeout_ms=80)["id"])

    wire.send("chat", session_id=session_id, message="go")

    done = heard.wait("agent.complete", status="failed", reason="backend_timeout")
    assert "0.08 s" in done["errorMessage"]


@pytest.mark.parametrize(
    ("failure", "reason", "text"),
    [
        (BackendFailed("It exited with 1", "process_exit"), "process_exit", "It exited with 1"),
        (BackendFailed("Out of credit"), "agent_error", "Out of credit"),
        (RuntimeError("bug"), "agent_error", "RuntimeError: bug"),
    ],
)
def test_a_failure_in_a_turn_fails_the_session_with_its_reason(
    session_id: str,
    wire: Wire,
    heard: Heard,
    record: Record,
    backend: FakeBackend,
    failure: Exception,
    reason: str,
    text: str,
) -> None:
    async def breaks(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield said("so far")
        raise failure

    backend.script = breaks
    wire.send("chat", session_id=session_id, message="go")

    heard.wait("agent.complete", status="failed", reason=reason, errorMessage=text)
    session = record.session(session_id)
    assert (session["status"], session["metadata"]["terminal_reason"]) == ("failed", reason)
    (error,) = record.events(session_id, event_type="error")
    assert error["payload"]["message"] == text
    assert "raw" not in error["payload"]
    assert backend.runs[0].closed


def test_after_a_failure_the_next_message_resumes(
    session_id: str, wire: Wire, heard: Heard, backend: FakeBackend
) -> None:
    async def breaks_once(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        yield said("hm")
        yield TurnEnd(success=message != "first", error="no", is_alive=message != "first")

    backend.script = breaks_once
    wire.send("chat", session_id=session_id, message="first")
    heard.wait("agent.complete", status="failed")

    wire.send("chat", session_id=session_id, message="second")

    heard.wait("agent.complete", status="completed")
    assert [run.options.resume_id for run in backend.runs] == [None, "backend-1"]


def test_a_backend_is_told_what_the_session_has_cost(
    session_id: str, wire: Wire, heard: Heard, backend: FakeBackend
) -> None:
    wire.send("chat", session_id=session_id, message="one")
    heard.wait("agent.complete", 1)
    wire.send("agent.stop", kombuseSessionId=session_id)
    heard.wait("agent.complete", status="stopped")

    wire.send("chat", session_id=session_id, message="two")
    heard.wait("agent.complete", 2, status="completed")

    assert [run.options.spent_usd for run in backend.runs] == [0.0, 0.25]


def test_an_idle_backend_that_died_is_started_anew(
    session_id: str, wire: Wire, heard: Heard, backend: FakeBackend
) -> None:
    async def dies(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        if message == "second" and len(backend.runs) == 1:
            raise BackendFailed("The process is gone", "process_exit")
        yield TurnEnd(success=True)

    backend.script = dies
    for count, message in enumerate(("first", "second"), 1):
        wire.send("chat", session_id=session_id, message=message)
        heard.wait("agent.complete", count, status="completed")

    assert [run.options.resume_id for run in backend.runs] == [None, "backend-1"]


def test_a_lost_conversation_goes_on_with_a_summary(
    session_id: str, wire: Wire, heard: Heard, record: Record, backend: FakeBackend
) -> None:
    wire.send("chat", session_id=session_id, message="What is two and two?")
    heard.wait("agent.complete", status="completed")
    wire.send("agent.stop", kombuseSessionId=session_id)
    heard.wait("agent.complete", status="stopped")

    backend.fails.append(ResumeFailed("No such session"))
    wire.send("chat", session_id=session_id, message="And three?")
    heard.wait("agent.complete", 2, status="completed")

    options = backend.runs[-1].options
    assert options.resume_id is None
    prompt = options.system_prompt or ""
    assert "<prior-conversation>" in prompt
    assert "**User**: What is two and two?\n\n**Assistant**: echo: What" in prompt
    assert "And three?" not in prompt
    raws = [e["payload"]["sourceType"] for e in record.events(session_id, event_type="raw")]
    assert "resume_failed" in raws


def test_another_backend_starts_a_conversation_of_its_own(
    session_id: str, wire: Wire, heard: Heard, record: Record, other: FakeBackend
) -> None:
    wire.send("chat", session_id=session_id, message="one")
    heard.wait("agent.complete", 1)

    wire.send("agent.invoke", kombuseSessionId=session_id, message="two", backendType="mock")

    heard.wait("agent.complete", 2)
    (run,) = other.runs
    assert run.options.resume_id is None
    session = record.session(session_id)
    assert (session["backend_type"], session["applied_model"]) == ("mock", None)


def test_a_missing_backend_fails_the_session_and_tells_the_sender(
    client: TestClient, agents: Agents, wire: Wire, heard: Heard
) -> None:
    session_id = chat(client, agent_id=agents.make(backend_type="claude-code")["id"])

    wire.send("chat", session_id=session_id, message="go")

    done = heard.wait("agent.complete", status="failed", reason="agent_error")
    assert "claude-code is not available" in done["errorMessage"]
    assert heard.wait("error")["message"].startswith("Failed to start agent: ")


def test_a_broken_template_fails_the_session_and_nothing_else(
    client: TestClient, agents: Agents, wire: Wire, heard: Heard, record: Record
) -> None:
    broken = chat(client, agent_id=agents.make("ok\n{% if %}")["id"])
    sound = chat(client, agent_id=agents.make(name="Sound")["id"])

    wire.send("chat", session_id=broken, message="go")
    wire.send("chat", session_id=sound, message="go")

    done = heard.wait("agent.complete", kombuseSessionId=broken)
    assert "system prompt of Ada, line 2" in done["errorMessage"]
    heard.wait("agent.complete", kombuseSessionId=sound, status="completed")
    assert record.session(broken)["status"] == "failed"


def test_a_backend_below_the_minimum_is_not_used(
    client: TestClient, agents: Agents, wire: Wire, heard: Heard
) -> None:
    session_id = chat(client, agent_id=agents.make(min_backend_version="2.0.0")["id"])

    wire.send("chat", session_id=session_id, message="go")

    done = heard.wait("agent.complete", status="failed")
    assert "version 1.0.0 does not meet minimum 2.0.0" in done["errorMessage"]


def test_without_permissions_every_request_is_denied_and_recorded(
    session_id: str, wire: Wire, heard: Heard, record: Record, backend: FakeBackend
) -> None:
    decisions: list[Decision] = []

    async def asks(run: FakeRun, message: str) -> AsyncIterator[AgentEvent | TurnEnd]:
        request = PermissionRequest(request_id="r1", tool_name="Bash", input={"command": "ls"})
        decisions.append(await run.options.ask(request))
        yield TurnEnd(success=True)

    backend.script = asks
    wire.send("chat", session_id=session_id, message="go")
    heard.wait("agent.complete", status="completed")

    (decision,) = decisions
    assert decision.behavior == "deny"
    assert "permissions" in (decision.message or "")
    kinds = [event["event_type"] for event in record.events(session_id)]
    assert kinds[-2:] == ["permission_request", "permission_response"]
    streamed = {m["event"]["type"] for m in heard.of("agent.event")}
    assert "permission_request" in streamed
    assert "permission_response" not in streamed


def test_images_reach_the_backend_and_leave_a_line_in_the_record(
    session_id: str, wire: Wire, heard: Heard, record: Record, backend: FakeBackend
) -> None:
    image = {"data": "QUJD", "mediaType": "image/png"}
    wire.send("agent.invoke", kombuseSessionId=session_id, message="see", images=[image])
    heard.wait("agent.complete")

    assert [i.data for i in backend.runs[0].images] == ["QUJD"]
    assert record.events(session_id)[0]["payload"]["content"] == "see\n[image: image/png, 3 B]"


def test_the_model_is_that_of_the_session_then_the_message_then_the_agent(
    client: TestClient, agents: Agents, wire: Wire, heard: Heard, backend: FakeBackend
) -> None:
    agent = agents.make(model="of-agent")
    sticky = chat(client, agent_id=agent["id"], model_preference=" of-session ")
    plain = chat(client, agent_id=agent["id"])
    fields = {"message": "go", "modelPreference": "of-message"}

    wire.send("agent.invoke", kombuseSessionId=sticky, **fields)
    heard.wait("agent.complete", 1)
    wire.send("chat", session_id=plain, message="go")
    heard.wait("agent.complete", 2)
    wire.send("agent.invoke", agentId=agent["id"], **fields)
    heard.wait("agent.complete", 3)

    models = [run.options.model for run in backend.runs]
    assert models == ["of-session", "of-agent", "of-message"]


def test_the_prompt_names_the_instructions_of_the_project(
    make: Factory,
    agent: dict[str, Any],
    wire: Wire,
    heard: Heard,
    backend: FakeBackend,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "code"
    folder.mkdir()
    project = make.project(local_path=str(folder))
    (folder / "AGENTS.md").write_text("Use tabs.\n", encoding="utf-8")

    wire.send("agent.invoke", message="go", agentId=agent["id"], projectId=project["id"])
    heard.wait("agent.complete")

    options = backend.runs[0].options
    assert options.cwd == folder
    assert options.system_prompt is not None
    assert options.system_prompt.startswith(
        "<project-instructions>\nUse tabs.\n</project-instructions>\n\n"
        "<agent-instructions>\nYou help.\n</agent-instructions>\n\n<kombuse-session>"
    )


def test_without_a_folder_an_agent_works_in_an_empty_one_of_its_own(
    kernel: Kernel,
    project: Any,
    agent: dict[str, Any],
    wire: Wire,
    heard: Heard,
    backend: FakeBackend,
) -> None:
    for given in ({"projectId": project["id"]}, {}):
        wire.send("agent.invoke", message="go", agentId=agent["id"], **given)
    heard.wait("agent.complete", 2)

    home = kernel.config.home / "workspaces"
    folders = {run.options.cwd for run in backend.runs}
    assert len(folders) == 2
    assert home / project["id"] in folders
    assert all(f.parent == home and f.stat().st_mode & 0o777 == 0o700 for f in folders)
    assert backend.runs[0].options.mcp_url == "http://127.0.0.1:3331/mcp"
