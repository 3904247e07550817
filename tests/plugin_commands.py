"""A server whose packages come from this machine alone, and the command line on it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.command_line import CommandLine, Ended

from kombuse_sdk.processes import ServerProcess

__all__ = ["Plugins", "open_project", "quiet_home"]


def quiet_home(home: Path) -> Path:
    """A home whose server asks no registry unless it is told to."""
    home.mkdir(parents=True, exist_ok=True)
    config = {"plugins": {"default_registry": False}}
    (home / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return home


@dataclass(frozen=True, slots=True)
class Plugins:
    """`kombuse plugin` in one project: `plugins("install", path)`."""

    line: CommandLine
    server: ServerProcess
    project: dict[str, Any]

    def __call__(self, *arguments: str) -> Ended:
        return self.line.run("plugin", *arguments)

    def here(self, command: str, *arguments: str) -> Ended:
        """A command that is about the project."""
        return self(command, *arguments, "--project", self.project["slug"])

    def installed(self) -> dict[str, Any]:
        found = self.server.http.get("/api/plugins", params={"project_id": self.project["id"]})
        return {plugin["name"]: plugin for plugin in found.json()}

    def add_source(self, url: str) -> None:
        assert self("sources", "add", url, "--project", self.project["slug"]).code == 0


def open_project(line: CommandLine, server: ServerProcess, name: str, folder: Path) -> Plugins:
    folder.mkdir(exist_ok=True)
    body = {"name": name, "owner_id": "user-1", "local_path": str(folder)}
    answer = server.http.post("/api/projects", json=body)
    assert answer.status_code == 201, answer.text
    return Plugins(line, server, answer.json())
