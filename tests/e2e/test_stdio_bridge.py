"""`kombuse mcp` between clients and real servers."""

import asyncio
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from tests.conftest import StartServer

from kombuse_sdk.processes import ServerProcess, command, environment

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
WRITES = {"profile_id": "user-1", "setting_key": "mcp.anonymous_write_access"}
MODULES = """
import sys
import kombuse_kernel.cli
from kombuse_sdk.bridge import Bridge
print(*[name for name in sys.argv[1:] if name in sys.modules])
"""


class BridgeProcess:
    """A bridge as a client starts it."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            command("mcp", "--home", str(home)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(home.parent),
            cwd=home.parent,
        )

    def send(self, *lines: object) -> None:
        assert self.process.stdin
        for line in lines:
            text = line if isinstance(line, bytes) else json.dumps(line).encode()
            self.process.stdin.write(text + b"\n")
        self.process.stdin.flush()

    def receive(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def ask(self, message: object) -> Any:
        self.send(message)
        return self.receive()

    def end(self) -> tuple[int, list[Any], str]:
        """Close its input; exit code, the answers that were left, and what it said."""
        out, said = self.process.communicate(timeout=20)
        return self.process.returncode, [json.loads(x) for x in out.splitlines()], said.decode()


@contextmanager
def bridge_on(home: Path) -> Iterator[BridgeProcess]:
    bridge = BridgeProcess(home)
    try:
        yield bridge
    finally:
        bridge.process.kill()
        with suppress(BrokenPipeError), bridge.process:  # closes the pipes and waits
            pass


@pytest.fixture
def bridge(server: ServerProcess) -> Iterator[BridgeProcess]:
    with bridge_on(server.home) as process:
        yield process


def processor_seconds() -> float:
    """Of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tool_call(name: str, call_id: object = 1, **arguments: Any) -> dict[str, Any]:
    params = {"name": name, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": call_id, "method": "tools/call", "params": params}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_the_official_client_sees_over_the_bridge_what_it_sees_over_http(
    server: ServerProcess, mode: str
) -> None:
    program, *arguments = command("mcp", "--home", str(server.home))
    entry = StdioServerParameters(command=program, args=arguments, env=environment(server.home))
    setting = WRITES | {"setting_value": "allowed"}
    server.http.put("/api/profile-settings", json=setting).raise_for_status()
    body = {"name": f"Bridge {mode}", "owner_id": "user-1"}
    project = server.http.post("/api/projects", json=body).json()

    async def seen(target: Any) -> tuple[Any, ...]:
        async with Client(target, mode=mode) as client:
            tools = await client.list_tools()
            new = {"project_id": project["id"], "title": "Größer €"}
            made = await client.call_tool("create_ticket", new)
            failed = await client.call_tool("get_ticket", {"ticket_id": 10**6})
            rows = await client.call_tool("query_db", {"sql": "SELECT 'a\nb' AS text"})
            assert made.structured_content and rows.structured_content
            return (
                client.protocol_version,
                client.server_info.name if client.server_info else None,
                [tool.model_dump() for tool in tools.tools],
                made.structured_content["title"],
                failed.is_error,
                rows.structured_content["rows"],
            )

    over_stdio = asyncio.run(seen(stdio_client(entry)))
    over_http = asyncio.run(seen(f"{server.url}/mcp"))

    assert over_stdio == over_http
    assert over_stdio[3] == "Größer €" and over_stdio[5] == [{"text": "a\nb"}]


def test_the_official_client_gets_answers_to_many_calls_at_once(server: ServerProcess) -> None:
    program, *arguments = command("mcp", "--home", str(server.home))
    entry = StdioServerParameters(command=program, args=arguments, env=environment(server.home))

    async def talk() -> list[Any]:
        async with Client(stdio_client(entry)) as client:
            calls = [client.call_tool("query_db", {"sql": f"SELECT {n} AS n"}) for n in range(6)]
            return [answer.structured_content for answer in await asyncio.gather(*calls)]

    assert [found["rows"] for found in asyncio.run(talk())] == [[{"n": n}] for n in range(6)]


def test_a_slow_call_does_not_hold_up_the_next(bridge: BridgeProcess) -> None:
    slow = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n"
    bridge.ask(PING)

    bridge.send(tool_call("query_db", "slow", sql=slow), PING | {"id": "quick"})

    assert bridge.receive()["id"] == "quick"
    assert bridge.receive()["id"] == "slow"


def test_whatever_is_no_message_is_answered(bridge: BridgeProcess) -> None:
    cases: list[tuple[object, int]] = [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"5", -32600),
        (b"[]", -32600),
        ({"id": 4}, -32600),
        ({"jsonrpc": "2.0", "id": 5, "method": "no/such"}, -32601),
    ]

    for line, code in cases:
        answer = bridge.ask(line)
        assert (answer["jsonrpc"], answer["error"]["code"]) == ("2.0", code), line
        assert answer["id"] == (line.get("id") if isinstance(line, dict) else None)
    assert bridge.ask(PING) == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_lines_that_are_too_long_are_refused_by_the_server_or_by_the_bridge(
    bridge: BridgeProcess,
) -> None:
    refused = bridge.ask(tool_call("query_db", "big", sql="x" * 2_000_000))
    assert refused["id"] == "big" and "too large" in refused["error"]["message"]

    refused = bridge.ask(tool_call("query_db", "huge", sql="x" * 17_000_000))
    assert refused["id"] is None and refused["error"]["code"] == -32600
    assert bridge.ask(PING)["result"] == {}


def test_a_list_of_messages_gets_a_list_of_answers(bridge: BridgeProcess) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}

    answers = bridge.ask([PING, note, PING | {"id": "b"}, 7])

    assert [(item["id"], "result" in item) for item in answers] == [
        (1, True),
        ("b", True),
        (None, False),
    ]
    bridge.send([note])
    assert bridge.ask(PING)["result"] == {}


def test_notifications_are_not_answered_and_leave_no_trace(bridge: BridgeProcess) -> None:
    bridge.send({"jsonrpc": "2.0", "method": "notifications/initialized"}, b"", b"  ", PING)

    code, answers, said = bridge.end()

    assert (code, [item["id"] for item in answers]) == (0, [1])
    assert re.fullmatch(r"kombuse mcp: connected to port \d+\n", said)


def test_a_bridge_ends_with_its_input_and_finishes_what_is_under_way(
    bridge: BridgeProcess,
) -> None:
    bridge.ask(PING)
    bridge.send(*[tool_call("query_db", n, sql=f"SELECT {n}") for n in range(5)])

    code, answers, _ = bridge.end()

    assert code == 0
    assert sorted(item["id"] for item in answers) == [0, 1, 2, 3, 4]
    assert all(item["result"]["isError"] is False for item in answers)


def test_a_bridge_whose_reader_is_gone_ends_with_its_input_too(bridge: BridgeProcess) -> None:
    bridge.ask(PING)
    assert bridge.process.stdout
    bridge.process.stdout.close()

    bridge.send(PING)
    assert bridge.process.stdin
    bridge.process.stdin.close()

    assert bridge.process.wait(10) == 0


def test_a_server_may_start_after_the_bridge_and_come_back_elsewhere(
    start_server: StartServer, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with bridge_on(home) as bridge:
        refused = bridge.ask(PING | {"id": "early"})
        assert refused["error"]["code"] == -32000 and "kombuse serve" in refused["error"]["message"]
        assert refused["id"] == "early"

        first = start_server(home=home)
        assert bridge.ask(tool_call("list_projects", "late"))["result"]["isError"] is False

        former = first.port
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        assert bridge.ask(tool_call("list_projects", "down"))["error"]["code"] == -32000
        second = start_server(home=home)

        assert bridge.ask(tool_call("list_projects", "again"))["result"]["isError"] is False
        _, _, said = bridge.end()
    ports = re.findall(r"connected to port (\d+)", said)
    assert ports == [str(former), str(second.port)]


def test_a_server_that_wants_the_token_gets_it(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(options=["--require-token"])
    with bridge_on(server.home) as bridge:
        assert bridge.ask(tool_call("list_projects"))["result"]["isError"] is False

        (server.home / "token").write_text("wrong", encoding="ascii")
        refused = bridge.ask(tool_call("list_projects", "again"))

    assert (refused["id"], refused["error"]["code"]) == ("again", -32000)
    assert "401" in refused["error"]["message"]


def test_the_first_answer_comes_soon_without_the_server_stack(server: ServerProcess) -> None:
    """Counted in processor time, for other programs of a busy machine do not matter here."""
    times = []
    for _ in range(5):
        before = processor_seconds()
        with bridge_on(server.home) as bridge:
            assert bridge.ask(PING)["result"] == {}
            bridge.end()
        times.append(processor_seconds() - before)

    heavy = ["typer", "rich", "pydantic", "fastapi", "sqlmodel", "mcp", "uvicorn", "asyncio"]
    run = [sys.executable, "-c", MODULES, *heavy]
    loaded = subprocess.run(run, capture_output=True, text=True, check=True, timeout=30)
    assert loaded.stdout == "\n"
    print("first answers after", *(f"{seconds:.3f}" for seconds in times))
    assert min(times) < 0.15


def test_the_command_is_listed_and_explains_itself(tmp_path: Path) -> None:
    def shown(*arguments: str) -> str:
        run = command(*arguments)
        env = environment(tmp_path, {"COLUMNS": "200"})
        return subprocess.run(
            run, capture_output=True, text=True, check=True, timeout=30, env=env
        ).stdout

    assert "Connect an MCP client to the server" in shown("--help")
    assert "--home" in shown("mcp", "--help")
