"""Servers in desktop mode with the real browser of this machine, and what tests ask of windows."""

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kombuse_plugins.desktop.errors import NoBrowser
from kombuse_plugins.desktop.mode import VARIABLE
from kombuse_plugins.desktop.program import find_program
from kombuse_sdk.processes import ServerProcess, running_server
from kombuse_sdk.testing import ToolAnswer

if TYPE_CHECKING:
    from httpx import Response

__all__ = ["DesktopApp", "browser_pids", "png_size", "require_browser", "running_desktop"]


@dataclass(frozen=True, slots=True)
class DesktopApp:
    server: ServerProcess

    def ask(self, method: str, path: str, body: Any = None) -> "Response":
        """`path` is below /api/desktop/windows."""
        return self.server.http.request(method, f"/api/desktop/windows{path}", json=body)

    def open(self, **body: Any) -> Any:
        answer = self.ask("POST", "", body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def run(self, window: Any, script: str, **body: Any) -> "Response":
        return self.ask("POST", f"/{window['id']}/execute-js", {"script": script} | body)

    def value(self, window: Any, script: str, **body: Any) -> Any:
        answer = self.run(window, script, **body)
        assert answer.status_code == 200, answer.text
        return answer.json()["result"]

    def windows(self) -> list[Any]:
        listed: list[Any] = self.ask("GET", "").json()
        return listed

    def close(self, window: Any) -> None:
        assert self.ask("DELETE", f"/{window['id']}").json() == {"success": True}

    def tool(self, name: str, **arguments: Any) -> ToolAnswer:
        result = self.tool_result(name, **arguments)
        (block,) = result["content"]
        return ToolAnswer(result["isError"], block["text"], result.get("structuredContent"))

    def tool_result(self, name: str, **arguments: Any) -> Any:
        params = {"name": name, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        return self.server.http.post("/mcp", json=message).json()["result"]

    def tools(self) -> list[str]:
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        listed = self.server.http.post("/mcp", json=message).json()["result"]["tools"]
        return [tool["name"] for tool in listed]

    def allow_anonymous_writes(self, value: str = "allowed") -> None:
        key = "mcp.anonymous_write_access"
        body = {"profile_id": "user-1", "setting_key": key, "setting_value": value}
        assert self.server.http.put("/api/profile-settings", json=body).is_success

    def calls(self) -> list[Any]:
        """The recorded calls, the newest first."""
        params = {"event_type": "desktop.called", "limit": "100"}
        events = self.server.http.get("/api/events", params=params).json()
        for event in events:
            if isinstance(event["payload"], str):
                event["payload"] = json.loads(event["payload"])
        return list(events)


@contextmanager
def running_desktop(home: Path, env: Mapping[str, str] | None = None) -> Iterator[DesktopApp]:
    require_browser()
    mode = {VARIABLE: "no-window,headless"}
    with running_server(home, env=mode | dict(env or {})) as server:
        yield DesktopApp(server)


def require_browser() -> None:
    """These tests are worth nothing without a browser, so its absence is a failure of its own."""
    from kombuse_kernel.config import load_config

    try:
        find_program(load_config(Path("/nowhere")))
    except NoBrowser as error:
        raise AssertionError(f"The tests of windows need a browser. {error}") from None


def browser_pids(home: Path) -> list[int]:
    """The main processes of browsers with a profile in this home."""
    found = []
    wanted = f"--user-data-dir={home}/desktop-profile".encode()
    for entry in Path("/proc").iterdir():
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        is_main = not any(argument.startswith(b"--type=") for argument in arguments)
        if wanted in arguments and is_main and b"-I" not in arguments:
            found.append(int(entry.name))
    return found


def png_size(data: str | bytes) -> tuple[int, int]:
    raw = base64.b64decode(data) if isinstance(data, str) else data
    assert raw.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", raw[16:24])
    return width, height
