"""A pytest plugin for plugin authors: a kernel of its own for each test, a client, factories.

The kernel is found through its entry point, so that the SDK needs no import of it. Override the
fixture `plugins_under_test` to add plugins, `kombuse_config` to change `config.json`.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import importlib_metadata
import pytest

from kombuse_sdk.contracts.profiles import LOCAL_USER

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from kombuse_sdk.types import Kernel

__all__ = [
    "CallTool",
    "Factory",
    "ToolAnswer",
    "call_tool",
    "client",
    "kernel",
    "kombuse_config",
    "kombuse_home",
    "make",
    "plugins_under_test",
    "ticket_path",
]


@pytest.fixture
def kombuse_home(tmp_path: Path) -> Path:
    """Where this test's server keeps everything."""
    return tmp_path / "home"


@pytest.fixture
def kombuse_config() -> dict[str, Any]:
    """What `config.json` of the home holds."""
    return {}


@pytest.fixture
def plugins_under_test() -> list[object]:
    """Plugins (modules or objects with hooks) beside the built-in ones."""
    return []


@pytest.fixture
def kernel(
    kombuse_home: Path, kombuse_config: dict[str, Any], plugins_under_test: list[object]
) -> "Iterator[Kernel]":
    """A started kernel; jobs and subscribers run. `kernel.dispatcher.drain()` waits for those."""
    kombuse_home.mkdir(mode=0o700)
    (kombuse_home / "config.json").write_text(json.dumps(kombuse_config), encoding="utf-8")
    made = _entry_point("build")(kombuse_home, plugins_under_test)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def client(kernel: "Kernel") -> "TestClient":
    """An HTTP client of the whole application; answers of faults are 500, not exceptions."""
    from starlette.testclient import TestClient

    app = _entry_point("app")(kernel)
    return TestClient(app, base_url="http://127.0.0.1:3331", raise_server_exceptions=False)


@dataclass
class Factory:
    """Makes things over the API, with what a test does not care about filled in."""

    client: "TestClient"
    count: int = 0

    def profile(self, **values: Any) -> Any:
        self.count += 1
        return self._post("/api/profiles", {"type": "user", "name": f"p{self.count}"} | values)

    def project(self, **values: Any) -> Any:
        self.count += 1
        body = {"name": f"Project {self.count}", "owner_id": LOCAL_USER} | values
        return self._post("/api/projects", body)

    def ticket(self, project: Any, **values: Any) -> Any:
        self.count += 1
        body = {"project_id": project["id"], "author_id": LOCAL_USER, "title": f"t{self.count}"}
        return self._post("/api/tickets", body | values)

    def comment(self, ticket: Any, **values: Any) -> Any:
        self.count += 1
        body = {"author_id": LOCAL_USER, "body": f"c{self.count}"} | values
        return self._post(f"{ticket_path(ticket)}/comments", body)

    def label(self, project: Any, **values: Any) -> Any:
        self.count += 1
        body = {"name": f"label {self.count}"} | values
        return self._post(f"/api/projects/{project['id']}/labels", body)

    def milestone(self, project: Any, **values: Any) -> Any:
        self.count += 1
        body = {"title": f"m{self.count}"} | values
        return self._post(f"/api/projects/{project['id']}/milestones", body)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """What an MCP client is told: the text, and the object that it holds if that is published."""

    is_error: bool
    text: str
    structured: Any

    @property
    def data(self) -> Any:
        return json.loads(self.text)


CallTool = Callable[..., ToolAnswer]


@pytest.fixture
def call_tool(client: "TestClient") -> CallTool:
    """`call_tool(name, **arguments)`, as an MCP client does it."""

    def call(name: str, /, **arguments: Any) -> ToolAnswer:
        params = {"name": name, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        answer = client.post("/mcp", json=message)
        assert answer.status_code == 200, answer.text
        result = answer.json()["result"]
        (block,) = result["content"]
        return ToolAnswer(result["isError"], block["text"], result.get("structuredContent"))

    return call


def ticket_path(ticket: Any) -> str:
    """The address of a ticket below /api."""
    return f"/api/projects/{ticket['project_id']}/tickets/by-number/{ticket['ticket_number']}"


@pytest.fixture
def make(client: "TestClient") -> Factory:
    return Factory(client)


def _entry_point(name: str) -> Callable[..., Any]:
    (point,) = importlib_metadata.entry_points(group="kombuse.kernel", name=name)
    found: Callable[..., Any] = point.load()
    return found
