"""The official client against a real server process."""

import asyncio
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter

import pytest
from mcp import Client
from tests.conftest import StartServer

from kombuse_sdk.processes import ServerProcess

CALL = (
    '{"jsonrpc":"2.0","id":1,"method":"tools/call",'
    '"params":{"name":"list_projects","arguments":{}}}'
)
START = """
import sys
from pathlib import Path
from starlette.testclient import TestClient
from kombuse_kernel.app import build_app, kernel_for_tests

kernel = kernel_for_tests(Path(sys.argv[1]), [])
with TestClient(build_app(kernel), base_url="http://127.0.0.1") as client:
    assert client.get("/health").status_code == 200
    assert "mcp" not in sys.modules
    assert client.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"}).json()
    assert "mcp" in sys.modules
"""


@pytest.mark.parametrize(("mode", "version"), [("auto", "2026-07-28"), ("legacy", "2025-11-25")])
def test_both_generations_of_the_protocol_list_and_call(
    server: ServerProcess, mode: str, version: str
) -> None:
    async def talk() -> None:
        async with Client(f"{server.url}/mcp", mode=mode) as client:
            assert client.protocol_version == version
            assert {"query_db", "call_api"} <= {t.name for t in (await client.list_tools()).tools}
            answer = await client.call_tool("query_db", {"sql": "SELECT 1 AS one"})
            assert answer.structured_content is not None
            assert answer.structured_content["rows"] == [{"one": 1}]
            assert not (await client.call_tool("list_tables")).is_error
            assert (await client.call_tool("no_such_tool")).is_error

    asyncio.run(talk())


def test_the_answers_of_the_tools_fit_their_published_schemas(server: ServerProcess) -> None:
    """The client checks each answer against the output schema and raises if it does not fit."""
    project = server.http.post("/api/projects", json={"name": "Fit", "owner_id": "user-1"}).json()
    setting = {"profile_id": "user-1", "setting_key": "mcp.anonymous_write_access"}
    server.http.put("/api/profile-settings", json=setting | {"setting_value": "allowed"})
    ticket = {"project_id": project["id"], "ticket_number": 1}
    calls = [
        ("create_ticket", {"project_id": project["id"], "title": "Platypus"}),
        ("add_comment", ticket | {"body": "hm"}),
        ("update_comment", {"comment_id": 1, "body": "hmm"}),
        ("update_ticket", ticket | {"status": "closed"}),
        ("get_ticket", ticket),
        ("get_ticket_comment", {"comment_id": 1}),
        ("list_tickets", {"project_id": project["id"]}),
        ("search_tickets", {"query": "platypus"}),
        ("list_projects", {}),
        ("list_labels", {"project_id": project["id"]}),
        ("query_db", {"sql": "SELECT 1"}),
        ("list_tables", {}),
        ("describe_table", {"table_name": "tickets"}),
        ("list_api_endpoints", {}),
        ("call_api", {"path": "/api/tickets"}),
    ]

    async def talk() -> None:
        async with Client(f"{server.url}/mcp") as client:
            await client.list_tools()
            for name, arguments in calls:
                answer = await client.call_tool(name, arguments)
                assert not answer.is_error, (name, answer.content)
                assert answer.structured_content, name

    asyncio.run(talk())


def test_the_sdk_is_imported_by_the_first_request_and_not_before(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", START, str(tmp_path / "home")], check=True)


def test_calls_on_one_connection_are_quick(server: ServerProcess) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"content-type": "application/json"}

    def call() -> None:
        connection.request("POST", "/mcp", CALL, headers)
        assert connection.getresponse().read()

    call()
    began = perf_counter()
    for _ in range(100):
        call()
    rate = 100 / (perf_counter() - began)
    connection.close()
    print(f"list_projects: {rate:.0f} calls/s")

    assert rate > 50


def test_an_idle_client_does_not_delay_the_end(start_server: StartServer) -> None:
    server = start_server()
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", "/mcp", CALL, {"content-type": "application/json"})
    assert connection.getresponse().read()

    began = perf_counter()
    assert server.stop() == 0
    assert perf_counter() - began < 5
    connection.close()
