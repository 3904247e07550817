"""The log, what waits, and answers: over REST, at /ws and on the command line."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.testclient import TestClient
from tests.command_line import CommandLine
from tests.plans import Planner
from tests.plugins.permissions.asking import SESSION, Asking, FakeClient, allow, bash, deny

from kombuse_plugins.permissions import expiry, queries
from kombuse_plugins.permissions.schemas import LogFilter
from kombuse_sdk.agents import Decision
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.errors import Conflict, NotFound
from kombuse_sdk.processes import ServerProcess
from kombuse_sdk.sockets import SocketMessage
from kombuse_sdk.testing import Factory
from kombuse_sdk.types import Kernel


def log_path(project: Any) -> str:
    return f"/api/projects/{project['id']}/permissions"


@pytest.fixture
def session(project: Any, make: Factory) -> SessionRef:
    ticket = make.ticket(project, title="A ticket")
    return SessionRef(
        id=SESSION,
        project_id=project["id"],
        ticket_id=ticket["id"],
        ticket_number=ticket["ticket_number"],
    )


def test_the_log_tells_every_decision_newest_first(
    asking: Asking, client: TestClient, project: Any, session: SessionRef
) -> None:
    asking.once(bash("git status", "a"), session=session)
    asking.once(bash("rm x", "b"), allow(), session)
    asking.once(bash("rm y", "c"), deny("no"), session)
    asking.once(bash("rm z", "d"), session=session)

    entries = client.get(log_path(project)).json()

    assert [entry["request_id"] for entry in entries] == ["d", "c", "b", "a"]
    assert [entry["behavior"] for entry in entries] == [None, "deny", "allow", "allow"]
    assert [entry["auto_approved"] for entry in entries] == [False, False, False, True]
    assert [entry["deny_message"] for entry in entries] == [None, "no", None, None]
    assert [entry["resolved_at"] is None for entry in entries] == [False, False, False, True]
    assert entries[1] == {
        "id": entries[1]["id"],
        "session_id": SESSION,
        "kombuse_session_id": SESSION,
        "project_id": project["id"],
        "ticket_number": session.ticket_number,
        "ticket_title": "A ticket",
        "requested_at": entries[1]["requested_at"],
        "request_id": "c",
        "tool_name": "Bash",
        "description": "Delete y",
        "input": {"command": "rm y"},
        "auto_approved": False,
        "behavior": "deny",
        "deny_message": "no",
        "resolved_at": entries[1]["resolved_at"],
        "status": "denied",
        "always_allow": None,
    }


def test_the_log_is_filtered_and_paged(
    asking: Asking, client: TestClient, project: Any, session: SessionRef
) -> None:
    asking.once(bash("git status", "a"), session=session)
    asking.once(bash("rm x", "b"), allow(), session)
    asking.once(bash("rm y", "c"), deny(), session)

    def ids(**query: Any) -> list[str]:
        answer = client.get(log_path(project), params=query)
        assert answer.status_code == 200, answer.text
        return [entry["request_id"] for entry in answer.json()]

    assert ids(behavior="allow") == ["b"]
    assert ids(behavior="deny") == ["c"]
    assert ids(behavior="auto_approved") == ["a"]
    assert ids(tool_name="Bash") == ["c", "b", "a"]
    assert ids(tool_name="bash") == []
    assert ids(tool_name="Bash", behavior="deny") == ["c"]
    assert ids(limit=1, offset=1) == ["b"]


def test_the_log_has_sessions_without_a_ticket_and_only_those_of_the_project(
    asking: Asking, client: TestClient, project: Any, make: Factory
) -> None:
    asking.once(bash("ls"), session=SessionRef(id=SESSION, project_id=project["id"]))
    asking.once(bash("ls", "r2"), session=SessionRef(id=SESSION))

    (entry,) = client.get(f"/api/projects/{project['slug']}/permissions").json()

    assert (entry["ticket_number"], entry["ticket_title"]) == (None, None)
    assert client.get(log_path(make.project())).json() == []


def test_the_log_outlives_ticket_and_agent(
    asking: Asking, client: TestClient, project: Any, session: SessionRef
) -> None:
    asking.once(bash("ls"), session=session)
    number = session.ticket_number
    client.delete(f"/api/projects/{project['id']}/tickets/by-number/{number}")

    (entry,) = client.get(log_path(project)).json()

    assert (entry["ticket_number"], entry["ticket_title"]) == (None, None)


@pytest.mark.parametrize(
    ("query", "field"),
    [({"behavior": "maybe"}, "behavior"), ({"limit": "0"}, "limit"), ({"offset": "-1"}, "offset")],
)
def test_a_bad_filter_is_an_issue(
    client: TestClient, project: Any, query: dict[str, str], field: str
) -> None:
    answer = client.get(log_path(project), params=query)

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == [field]


def test_the_log_of_an_unknown_project_is_not_found(client: TestClient) -> None:
    answer = client.get("/api/projects/no-such/permissions")

    assert (answer.status_code, answer.json()) == (404, {"error": "Project not found"})


@pytest.mark.parametrize(
    "query",
    [{}, {"tool_name": "Bash"}, {"behavior": "deny"}, {"tool_name": "Bash", "behavior": "allow"}],
)
def test_every_list_walks_along_an_index(
    kernel: Kernel, project: Any, query: dict[str, str]
) -> None:
    with kernel.db.read() as tx:
        planner: Any = Planner(tx)
        queries.log(planner, project["id"], LogFilter.model_validate(query))
        plan = planner.plan + [
            row["detail"]
            for row in tx.all(
                "EXPLAIN QUERY PLAN SELECT id FROM permission_requests"
                " INDEXED BY permission_requests_open WHERE status = 'pending' ORDER BY id"
            )
        ]

    assert not [step for step in plan if "TEMP B-TREE" in step]
    assert [step for step in plan if "INDEX permission_requests_" in step]
    assert not [step for step in plan if step.startswith("SCAN r") and "INDEX" not in step]


def test_what_waits_is_listed_and_answered_over_rest(
    asking: Asking, client: TestClient, project: Any, session: SessionRef, make: Factory
) -> None:
    other = make.project()

    async def scenario() -> Decision:
        asked = await asking.start(bash("npm run build"), session)
        assert client.get("/api/permissions/pending").json() == asking.pending()
        for reference, count in ((project["slug"], 1), (other["id"], 0), ("no-such", 0)):
            query = {"project_id": reference}
            assert len(client.get("/api/permissions/pending", params=query).json()) == count
        body = {"behavior": "allow", "always_allow": True}
        answer = await asyncio.to_thread(client.post, f"/api/permissions/{SESSION}/r1", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {
            "session_id": SESSION,
            "request_id": "r1",
            "behavior": "allow",
            "remembered": "Bash(npm run build *)",
            "note": None,
        }
        again = await asyncio.to_thread(client.post, f"/api/permissions/{SESSION}/r1", json=body)
        assert again.status_code == 409
        assert again.json() == {"error": "The permission request is already answered"}
        return await asked

    assert asking.run(scenario) == Decision(behavior="allow")


def test_an_answer_to_an_unknown_request_is_not_found(client: TestClient) -> None:
    answer = client.post(f"/api/permissions/{SESSION}/nope", json={"behavior": "allow"})

    assert (answer.status_code, answer.json()) == (404, {"error": "Permission request not found"})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "behavior"),
        ({"behavior": "maybe"}, "behavior"),
        ({"behavior": "allow", "always_allow": "yes"}, "always_allow"),
        ({"behavior": "allow", "updated_input": []}, "updated_input"),
        ({"behavior": "deny", "message": 1}, "message"),
        ({"behavior": "deny", "message": "x" * 10_001}, "message"),
    ],
)
def test_a_bad_answer_is_an_issue(client: TestClient, body: dict[str, Any], field: str) -> None:
    answer = client.post(f"/api/permissions/{SESSION}/r1", json=body)

    assert answer.status_code == 400
    assert answer.json()["error"][0]["path"] == [field]


@pytest.fixture
def response(kernel: Kernel) -> SocketMessage:
    offered = {message.name: message for _, message in kernel.offers("kombuse_socket_messages")}
    found: SocketMessage = offered["permission.response"]
    return found


def message(**values: Any) -> dict[str, Any]:
    base = {"type": "permission.response", "kombuseSessionId": SESSION, "requestId": "r1"}
    return base | {"behavior": "allow"} | values


def test_a_client_answers_at_the_socket(asking: Asking, response: SocketMessage) -> None:
    client = FakeClient()

    async def scenario() -> Decision:
        asked = await asking.start(bash("rm x"))
        given = message(updatedInput={"command": "rm y"}, alwaysAllow=False)
        await response.handle(client, response.model.model_validate(given))
        return await asked

    decision = asking.run(scenario)

    assert decision == Decision(behavior="allow", updated_input={"command": "rm y"})
    assert client.sent == []


def test_a_client_is_told_when_an_answer_is_not_remembered(
    asking: Asking, response: SocketMessage
) -> None:
    client = FakeClient()

    async def scenario() -> Decision:
        asked = await asking.start(bash("ls | sh"))
        await response.handle(client, response.model.model_validate(message(alwaysAllow=True)))
        return await asked

    assert asking.run(scenario).behavior == "allow"
    (told,) = client.sent
    assert told["type"] == "error"
    assert "not remembered" in told["message"]


def test_answers_at_the_socket_that_come_too_late_or_to_nothing_are_errors(
    asking: Asking, response: SocketMessage
) -> None:
    asking.once(bash("rm x"), allow())
    given = response.model.model_validate(message())
    unknown = response.model.model_validate(message(requestId="r9"))

    async def respond(message: Any) -> None:
        await response.handle(FakeClient(), message)

    with pytest.raises(Conflict, match="already answered"):
        asyncio.run(respond(given))
    with pytest.raises(NotFound, match="Failed to respond to permission request"):
        asyncio.run(respond(unknown))


@pytest.mark.parametrize(
    "values",
    [
        {"kombuseSessionId": None},
        {"kombuseSessionId": ""},
        {"requestId": 7},
        {"behavior": "Allow"},
        {"behavior": None},
        {"updatedInput": "x"},
        {"message": []},
        {"alwaysAllow": 1},
        {"alwaysAllow": "true"},
    ],
)
def test_a_malformed_answer_at_the_socket_is_refused(
    response: SocketMessage, values: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        response.model.model_validate(message(**values))


def test_the_command_line_lists_what_waits_and_answers(
    asking: Asking,
    server: ServerProcess,
    command_line: Callable[..., CommandLine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shell = command_line(server.home)

    empty = shell.run("approvals", "list")
    unknown = shell.run("approvals", "allow", "r1")

    assert (empty.code, empty.out) == (0, "Nothing waits for an answer.\n")
    assert unknown.code == 1
    assert "nothing waits that is called r1" in unknown.err
    monkeypatch.setenv("KOMBUSE_PROCESS", "x")
    assert "an agent cannot answer" in shell.run("approvals", "allow", "r1").err


class FakeServer:
    """The client of the command line, with two requests that wait."""

    answers: list[tuple[str, dict[str, Any]]]

    def __init__(self, note: str | None = None, remembered: str | None = None) -> None:
        self.answers = []
        self._result = {"note": note, "remembered": remembered}

    def __call__(self, home: Any) -> "FakeServer":
        return self

    def __enter__(self) -> "FakeServer":
        return self

    def __exit__(self, *_: object) -> None: ...

    def get(self, path: str, **query: Any) -> list[dict[str, Any]]:
        return [
            {
                "permissionKey": f"{SESSION}:{name}",
                "sessionId": SESSION,
                "requestId": name,
                "toolName": "Bash",
                "description": "Delete x",
                "input": {"command": "rm \x1b[2Kx"},
                "ticketNumber": 7,
            }
            for name in ("one", "two")
        ]

    def post(self, path: str, *values: str, body: dict[str, Any]) -> dict[str, Any]:
        self.answers.append((path.format(*values), body))
        return {"behavior": body["behavior"], **self._result}


@pytest.fixture
def shell(command_line: Callable[..., CommandLine], kombuse_home: Any) -> CommandLine:
    return command_line(kombuse_home)


def use(monkeypatch: pytest.MonkeyPatch, server: FakeServer) -> FakeServer:
    monkeypatch.setattr("kombuse_plugins.permissions.cli.Client", server)
    return server


def test_the_list_shows_the_whole_command_without_control_characters(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeServer())

    listed = shell.run("approvals", "list")

    assert "rm  [2Kx" in listed.out
    assert f"{SESSION}:one" in listed.out


def test_a_request_is_allowed_for_good(shell: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    server = use(monkeypatch, FakeServer(remembered="Bash(npm test *)"))

    ended = shell.run("approvals", "allow", "one", "--always")

    body = {"behavior": "allow", "always_allow": True}
    assert server.answers == [(f"/api/permissions/{SESSION}/one", body)]
    assert ended.out == "allowed: Delete x\nfrom now on without asking: Bash(npm test *)\n"


def test_a_request_is_denied_with_a_reason(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = use(monkeypatch, FakeServer())

    ended = shell.run("approvals", "deny", f"{SESSION}:two", "--message", "no")

    assert server.answers[0][1] == {"behavior": "deny", "message": "no"}
    assert ended.out == "denied: Delete x\n"


def test_what_is_not_remembered_is_a_warning(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, FakeServer(note="allowed once"))

    assert "warning: allowed once" in shell.run("approvals", "allow", "one", "--always").err


def test_a_name_that_fits_two_requests_is_not_guessed(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = use(monkeypatch, FakeServer())

    ended = shell.run("approvals", "allow", "chat-")

    assert ended.code == 2
    assert server.answers == []


@pytest.mark.parametrize(("days", "left"), [(30, ["e", "d"]), (None, ["e", "d", "c", "b", "a"])])
def test_decisions_go_after_the_days_that_the_configuration_names(
    asking: Asking,
    client: TestClient,
    kernel: Kernel,
    project: Any,
    session: SessionRef,
    monkeypatch: pytest.MonkeyPatch,
    days: int | None,
    left: list[str],
) -> None:
    monkeypatch.setattr(expiry, "_AT_ONCE", 2)
    kernel.config.values["retention"] = {"permissions_days": days}
    for request_id in "abcde":
        asking.once(bash("git status", request_id), session=session)
    with kernel.db.write() as tx:
        sql = "UPDATE permission_requests SET requested_at = ? WHERE request_id < 'e'"
        tx.execute(sql, ("2020-01-01T00:00:00.000Z",))
        sql = "UPDATE permission_requests SET status = 'pending' WHERE request_id = 'd'"
        tx.execute(sql)

    expiry.expire(kernel)

    entries = client.get(log_path(project)).json()
    assert [entry["request_id"] for entry in entries] == left
