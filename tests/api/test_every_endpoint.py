"""Every endpoint of the API reference answers as the reference says, on a real server.

A row of the table fails when the application lacks the endpoint, a parameter or a field, or answers
with a status that the row does not have.
"""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from httpx import Response
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from tests.api.table import (
    DESKTOP_TOOLS,
    ENDPOINTS,
    OWN_ENDPOINTS,
    SOCKET_MESSAGES,
    TOOLS,
    UNKNOWN,
    Endpoint,
    Failure,
)
from tests.api.world import World
from tests.sockets import open_socket

from kombuse_plugins.desktop import mcp_tools
from kombuse_sdk.processes import ServerProcess

_PARAMETER = re.compile(r"\{[^}]*\}")
_ROWS = {str(endpoint): endpoint for endpoint in ENDPOINTS}
_JUNK: tuple[tuple[str, dict[str, Any]], ...] = (
    ("a body that is no JSON", {"content": b"{", "headers": {"content-type": "application/json"}}),
    ("a body of the wrong type", {"json": 5}),
    ("a query with junk", {"params": {"limit": "x", "offset": "-", "days": "?", "nul": "\0"}}),
)
Document = Mapping[str, Any]


@pytest.fixture(scope="module")
def world(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> World:
    setting = {"profile_id": "user-1", "setting_key": "mcp.anonymous_write_access"}
    server.http.put("/api/profile-settings", json=setting | {"setting_value": "allowed"})
    return World(server, tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def document(server: ServerProcess) -> Document:
    answer: Document = server.http.get("/openapi.json").json()
    return answer


def plain(path: str) -> str:
    """A path without the names of its parameters, which are the application's own matter."""
    return _PARAMETER.sub("{}", path).replace("/by-number/99999", "/by-number/{}")


def served(document: Document) -> dict[str, Mapping[str, Any]]:
    return {
        f"{method.upper()} {plain(path)}": operation
        for path, methods in document["paths"].items()
        if path.startswith("/api")
        for method, operation in methods.items()
    }


def operation_of(document: Document, row: Endpoint) -> Mapping[str, Any]:
    return served(document)[f"{row.method} {plain(row.path)}"]


def send(
    server: ServerProcess,
    world: World,
    row: Endpoint,
    failure: Failure | None = None,
    **change: Any,
) -> Response:
    """The successful request of a row, with what a failure or a test has changed."""
    path, query, body, form = row.at, row.needed, row.body, row.form
    if failure is not None:
        path = failure.path or path
        query = query if failure.query is None else failure.query
        body = body if failure.body is None else failure.body
        form = form if failure.form is None else failure.form
    query, body = change.get("query", query), change.get("body", body)
    options: dict[str, Any] = {"params": world.fill(dict(query))}
    if form is not None:
        files = {name: value for name, value in form.items() if isinstance(value, tuple)}
        data = {name: value for name, value in form.items() if not isinstance(value, tuple)}
        options |= {"files": files, "data": world.fill(data)}
    elif body is not None:
        options["json"] = world.fill(body)
    return server.http.request(row.method, world.fill(path), **options)


def check_refusal(answer: Response) -> None:
    """A sentence, or for a bad request perhaps a list of issues."""
    error = answer.json()["error"]
    if isinstance(error, list):
        assert answer.status_code == 400 and error
        assert all({"code", "path", "message"} <= issue.keys() for issue in error)
    else:
        assert isinstance(error, str) and error


@pytest.mark.parametrize("name", _ROWS)
def test_an_endpoint_answers_its_status(
    server: ServerProcess, world: World, document: Document, name: str
) -> None:
    row = _ROWS[name]
    assert f"{row.method} {plain(row.path)}" in served(document)

    answer = send(server, world, row)

    assert answer.status_code in {row.status, *row.may}, answer.text
    if answer.status_code == 204:
        assert answer.content == b""
    elif answer.status_code >= 400:
        check_refusal(answer)


@pytest.mark.parametrize("name", [name for name, row in _ROWS.items() if row.query])
def test_every_query_parameter_has_an_effect_on_what_is_asked(
    server: ServerProcess, world: World, document: Document, name: str
) -> None:
    row = _ROWS[name]
    parameters = operation_of(document, row).get("parameters", [])
    known = {item["name"] for item in parameters if item["in"] == "query"}
    assert row.query.keys() | row.needed.keys() <= known

    for parameter, value in row.query.items():
        answer = send(server, world, row, query={**row.needed, parameter: value})
        assert answer.status_code in {row.status, *row.may}, (parameter, answer.text)


@pytest.mark.parametrize("name", [name for name, row in _ROWS.items() if row.optional])
def test_every_field_of_a_body_is_taken(
    server: ServerProcess, world: World, document: Document, name: str
) -> None:
    row = _ROWS[name]
    fields = properties(document, operation_of(document, row)["requestBody"])
    assert row.body.keys() | row.optional.keys() <= fields

    answer = send(server, world, row, body={**row.body, **row.optional})

    assert answer.status_code in {row.status, *row.may}, answer.text


def properties(document: Document, body: Mapping[str, Any]) -> set[str]:
    """The fields of a body, through references and alternatives."""
    found: set[str] = set()
    waiting = [content["schema"] for content in body["content"].values()]
    while waiting:
        schema = waiting.pop()
        if "$ref" in schema:
            waiting.append(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        waiting += schema.get("anyOf", []) + schema.get("oneOf", []) + schema.get("allOf", [])
        found |= schema.get("properties", {}).keys()
    return found


@pytest.mark.parametrize(
    ("name", "number"),
    [(name, number) for name, row in _ROWS.items() for number in range(len(row.failures))],
)
def test_every_documented_failure_is_answered(
    server: ServerProcess, world: World, name: str, number: int
) -> None:
    row = _ROWS[name]
    failure = row.failures[number]

    answer = send(server, world, row, failure)

    assert answer.status_code == failure.status, answer.text
    check_refusal(answer)


@pytest.mark.parametrize("name", _ROWS)
def test_whatever_is_sent_no_undocumented_status_comes_back(
    server: ServerProcess, world: World, name: str
) -> None:
    """Unreadable requests are 400 everywhere, and whatever a path names may be missing."""
    row = _ROWS[name]
    allowed = row.statuses | {400} | ({404} if "{" in row.path else set())
    path = _PARAMETER.sub(UNKNOWN, row.path)

    for what, options in _JUNK:
        answer = server.http.request(row.method, path, **options)
        assert answer.status_code in allowed, (what, answer.status_code, answer.text)


def test_the_table_has_every_endpoint_that_the_application_has(document: Document) -> None:
    in_table = {f"{row.method} {plain(row.path)}" for row in ENDPOINTS} | OWN_ENDPOINTS

    assert sorted(served(document).keys() - in_table) == []


def test_the_document_describes_every_endpoint_with_examples(document: Document) -> None:
    bare = []
    for name, operation in served(document).items():
        if not operation.get("summary") or not operation.get("description"):
            bare.append(f"{name}: no description")
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = {**content["schema"], "components": document["components"]}
            for error in Draft202012Validator(schema).iter_errors(content.get("example")):
                bare.append(f"{name}: its example does not fit: {error.message}")

    assert bare == []


@pytest.mark.parametrize("number", range(len(SOCKET_MESSAGES)))
def test_every_socket_message_is_understood(
    server: ServerProcess, world: World, number: int
) -> None:
    message, expected = SOCKET_MESSAGES[number]
    with open_socket(server) as socket:
        socket.send(world.fill(message))
        if expected is not None:
            assert socket.receive()["type"] == expected
            return
        answers = socket.rest()

    errors = [item["message"] for item in answers if item["type"] == "error"]
    assert not any("unknown" in text.lower() or "type" in text.lower() for text in errors), errors


def test_an_event_reaches_those_who_follow_its_topic(server: ServerProcess, world: World) -> None:
    ticket = world.get("ticket_id")
    with open_socket(server) as socket:
        socket.subscribe(f"ticket:{ticket}")
        body = {"event_type": "custom.seen", "actor_type": "system", "payload": {}}
        server.http.post("/api/events", json=body | {"ticket_id": ticket}).raise_for_status()

        message = socket.receive()

    assert (message["type"], message["topic"]) == ("event", f"ticket:{ticket}")
    assert message["event"]["event_type"] == "custom.seen"


def test_every_tool_is_offered_over_mcp(server: ServerProcess) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    listed = server.http.post("/mcp", json=request).json()["result"]["tools"]

    names = [tool["name"] for tool in listed]
    assert [name for name in TOOLS if name not in names] == []
    assert not set(names) & set(DESKTOP_TOOLS), "only a server with windows has these"


def test_the_tools_of_windows_are_defined() -> None:
    assert {tool.name for tool in mcp_tools.TOOLS} == set(DESKTOP_TOOLS)


def test_the_rows_are_all_of_the_reference() -> None:
    """A row that is lost from the table would be missed by nobody else."""
    assert len({(row.method, plain(row.path)) for row in ENDPOINTS}) == len(ENDPOINTS)
    assert len(ENDPOINTS) == 138
