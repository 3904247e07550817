"""Agents that read the HTTP API through MCP."""

from typing import Any

import pytest
from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse
from starlette.testclient import TestClient
from tests.fakes import fake_plugin

from kombuse_sdk.http import Read
from kombuse_sdk.testing import CallTool, Factory

ABSOLUTE = "Path must be a path of this server, not an absolute URL"
NOT_API = "Path must start with /api/. Use list_api_endpoints to discover available paths."


def router() -> APIRouter:
    made = APIRouter()

    @made.get("/samples/{name}", response_model=Any)
    def sample(tx: Read, name: str) -> Any:
        if name == "crash":
            raise RuntimeError("secret of the house")
        kind = {"image": "image/png", "text": "text/plain; charset=utf-8"}[name]
        return Response(b"\xc3\xa4\xff\x00", media_type=kind)

    @made.get("/stream", response_class=StreamingResponse)
    async def stream() -> StreamingResponse:
        return StreamingResponse(iter([b"one ", b"two"]), media_type="text/plain")

    return made


@pytest.fixture
def plugins_under_test() -> list[object]:
    return [fake_plugin("samples", routes=router)]


def paths(call_tool: CallTool, **arguments: Any) -> list[tuple[str, str]]:
    data = call_tool("list_api_endpoints", **arguments).data
    assert data["total"] == len(data["endpoints"])
    return [(found["method"], found["path"]) for found in data["endpoints"]]


def test_endpoints_are_listed_with_their_parameters(call_tool: CallTool) -> None:
    found = paths(call_tool)

    assert ("GET", "/api/profiles/:profile_id") in found
    assert ("GET", "/api/samples/:name") in found
    assert ("PUT", "/api/profile-settings") in found
    assert not any(method == "HEAD" for method, _ in found)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_endpoints_of_one_method(call_tool: CallTool, method: str) -> None:
    assert {found for found, _ in paths(call_tool, method=method)} == {method}


def test_an_unknown_method_is_a_wrong_argument(call_tool: CallTool) -> None:
    assert call_tool("list_api_endpoints", method="HEAD").text.startswith("MCP error -32602")


@pytest.mark.parametrize(
    "path",
    [
        "/api/profiles/user-1",
        "api/profiles/user-1",
        " /api/profiles/user-1 ",
        "/api/x/../profiles/user-1",
        "/api/%2e%2E/api/profiles/user-1",
        "/api/./profiles/user-1#here",
        "/api/profiles/user%2D1",
    ],
)
def test_an_address_is_read(call_tool: CallTool, client: TestClient, path: str) -> None:
    answer = call_tool("call_api", path=path)

    assert answer.data == {"status": 200, "body": client.get("/api/profiles/user-1").json()}
    assert answer.structured == answer.data


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "/api/profiles?type=user&limit=1"},
        {"path": "/api/profiles", "query": {"type": "user", "limit": "1"}},
        {"path": "/api/profiles", "query": {"type": "user", "limit": 1}},
        {"path": "/api/profiles?type=user", "query": {"limit": "1"}},
    ],
)
def test_the_query_may_be_in_the_path_or_apart(
    call_tool: CallTool, make: Factory, arguments: dict[str, Any]
) -> None:
    for _ in range(2):
        make.profile()

    body = call_tool("call_api", **arguments).data["body"]

    assert [profile["type"] for profile in body] == ["user"]


def test_odd_characters_of_a_query_reach_the_route(call_tool: CallTool, make: Factory) -> None:
    name = "Ann & Bob = 100% ä?"
    made = make.profile(name=name)

    body = call_tool("call_api", path="/api/profiles", query={"search": name}).data["body"]

    assert [profile["id"] for profile in body] == [made["id"]]


def test_a_boolean_of_a_query_is_its_json_text(call_tool: CallTool) -> None:
    answer = call_tool("call_api", path="/api/profiles", query={"is_active": False})

    assert answer.data == {"status": 200, "body": []}


@pytest.mark.parametrize(
    "path",
    [
        "/health",
        "/mcp",
        "/",
        "/api",
        "/apis/x",
        "/api/../health",
        "/api/%2e%2e/health",
        "/api/.%2E/mcp",
        "/api/a/../../health",
        "\\api\\..\\health",
        "profiles",
    ],
)
def test_only_the_api_can_be_read(call_tool: CallTool, path: str) -> None:
    answer = call_tool("call_api", path=path)

    assert answer.is_error
    assert answer.data == {"error": NOT_API}


@pytest.mark.parametrize(
    "path",
    ["http://evil.com/api/profiles", "//evil.com/api/profiles", "file:///api/x", "/\t/evil/api/x"],
)
def test_absolute_addresses_are_refused(call_tool: CallTool, path: str) -> None:
    assert call_tool("call_api", path=path).data == {"error": ABSOLUTE}


def test_a_malformed_address_is_refused(call_tool: CallTool) -> None:
    assert call_tool("call_api", path="http://[/api/x").data == {"error": "Invalid path"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/nowhere", 404),
        ("/api/profiles/nobody", 404),
        ("/api/profiles?limit=x", 400),
        ("/api/profiles/%zz", 400),
        ("/api/profiles/ä ö", 404),
        ("/api/samples/crash", 500),
    ],
)
def test_an_error_of_the_api_is_passed_on_as_it_is(
    call_tool: CallTool, client: TestClient, path: str, status: int
) -> None:
    answer = call_tool("call_api", path=path)

    assert not answer.is_error
    assert answer.data["status"] == status
    assert answer.data["body"]["error"]
    assert "secret" not in answer.text


def test_binary_bodies_are_described(call_tool: CallTool) -> None:
    answer = call_tool("call_api", path="/api/samples/image")

    assert answer.data == {"status": 200, "body": {"content_type": "image/png", "size": 4}}


def test_text_bodies_are_text(call_tool: CallTool) -> None:
    assert call_tool("call_api", path="/api/samples/text").data["body"] == "ä\ufffd\x00"
    assert call_tool("call_api", path="/api/stream").data["body"] == "one two"


def test_the_path_is_needed(call_tool: CallTool) -> None:
    assert call_tool("call_api").text.startswith("MCP error -32602")
    assert call_tool("call_api", path="").text.startswith("MCP error -32602")
