"""Packages with Python, and a home whose server is started again and again."""

import json
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from kombuse_kernel.app import build_app, kernel_for_tests
from kombuse_kernel.kernel import RunningKernel
from kombuse_sdk.testing import Factory

__all__ = ["ROUTE", "TOOL", "Machine", "write_package"]

HEAD = """
from kombuse_sdk import Job, PluginInfo, hookimpl
from kombuse_sdk.http import Read, Router
from kombuse_sdk.mcp import Tool, ToolInput

@hookimpl
def kombuse_plugin():
    return PluginInfo(name="{name}", title="Probe")
"""
ROUTE = """
router = Router()

@router.get("{path}", response_model=list[str])
def probe(tx: Read):
    return ["hello"]

@hookimpl
def kombuse_routes():
    return router
"""
TOOL = """
@hookimpl
def kombuse_mcp_tools():
    return [Tool(name="{tool}", title="Probe", description="{text}", input=ToolInput,
                 output=list[str], run=lambda tx, caller, arguments: ["hello"])]
"""


_NUMBERS = iter(range(1_000_000))
"""Modules are imported once by a process: each package has a name of its own."""


class Machine:
    """A home whose server is started again and again."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.kernel: RunningKernel | None = None
        self.start()
        self.project = Factory(self.client).project()

    def start(self) -> None:
        self.stop()
        self.kernel = kernel_for_tests(self.home, [])
        self.kernel.start()
        self.client = TestClient(
            build_app(self.kernel), base_url="http://127.0.0.1:3331", raise_server_exceptions=False
        )

    def stop(self) -> None:
        if self.kernel is not None:
            self.kernel.stop()
            self.kernel = None

    def install(self, folder: Path, **body: Any) -> Any:
        given = {"package_path": str(folder), "project_id": self.project["id"]} | body
        return self.client.post("/api/plugins/install", json=given)

    def status(self, name: str) -> tuple[str, str | None]:
        assert self.kernel is not None
        (found,) = [item for item in self.kernel.plugins if item.name == name]
        return found.state, found.reason

    def code(self, plugin_id: str) -> Any:
        answer = self.client.get(f"/api/plugins/{plugin_id}/code")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def installed(self, folder: Path) -> str:
        answer = self.install(folder, allow_code=True)
        assert answer.status_code == 201, answer.text
        plugin_id: str = answer.json()["plugin_id"]
        return plugin_id


def write_package(parent: Path, source: str, *capabilities: str, name: str | None = None) -> Path:
    """A package with one module; NAME in its source stands for the name of the package."""
    name = name or f"probe-{next(_NUMBERS)}"
    module = f"{name.replace('-', '_')}_code"
    folder = parent / name
    (folder / ".kombuse-plugin").mkdir(parents=True, exist_ok=True)
    (folder / "python").mkdir(exist_ok=True)
    manifest = {
        "name": name,
        "version": "1.0.0",
        "entry_point": module,
        "capabilities": list(capabilities),
        "kombuse": {"plugin_system_version": "kombuse-plugin-v1"},
    }
    (folder / ".kombuse-plugin" / "plugin.json").write_text(json.dumps(manifest))
    text = HEAD.format(name=name) + source.replace("NAME", name)
    (folder / "python" / f"{module}.py").write_text(text)
    return folder
