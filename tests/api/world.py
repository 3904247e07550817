"""The things that the rows of the table name, made over the API when they are first named."""

import json
import re
import socket
import uuid
from pathlib import Path
from typing import Any

from kombuse_sdk.processes import ServerProcess

__all__ = ["World"]

_NAME = re.compile(r"\{(\w+)\}")
_GIF = {"file": ("a.gif", b"GIF89a" + bytes(20), "image/gif")}
_USER = "user-1"


class World:
    """`{ticket}` is made once; what begins with `new_`, and a few others, anew for each use."""

    _ANEW = frozenset({"claimed_ticket", "attached_label", "uuid", "setting", "folder"})

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self._http = server.http
        self._home = server.home
        self._base = folder
        self._kept: dict[str, Any] = {}
        self._count = 0

    def fill(self, value: Any) -> Any:
        """The value with what its names stand for."""
        if isinstance(value, str):
            whole = _NAME.fullmatch(value)
            if whole is not None:
                return self.get(whole[1])
            return _NAME.sub(lambda match: str(self.get(match[1])), value)
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return value

    def get(self, name: str) -> Any:
        if name in self._ANEW or name.startswith("new_"):
            return self._make(name)
        if name not in self._kept:
            self._kept[name] = self._make(name)
        return self._kept[name]

    def _make(self, name: str) -> Any:
        self._count += 1
        return getattr(self, f"_{name.removeprefix('new_')}")()

    def _post(self, path: str, body: Any = None, **options: Any) -> Any:
        answer = self._http.post(path, json=body, **options)
        assert answer.is_success, f"POST {path}: {answer.status_code} {answer.text}"
        return answer.json()

    # The tracker

    def _new_project(self, **values: Any) -> Any:
        body = {"name": f"World {self._count}", "owner_id": _USER}
        return self._post("/api/projects", body | values)

    def _project(self) -> Any:
        if "project" not in self._kept:
            made = self._new_project(local_path=str(self._new_folder()))
            self._kept["slug"] = made["slug"]
            return made["id"]
        return self._new_project()["id"]

    def _slug(self) -> Any:
        self.get("project")
        return self._kept["slug"]

    def _other_slug(self) -> Any:
        return self._new_project()["slug"]

    def _ticket_path(self, number: Any, rest: str = "") -> str:
        return f"/api/projects/{self.get('project')}/tickets/by-number/{number}{rest}"

    def _whole_ticket(self, **values: Any) -> Any:
        body = {"project_id": self.get("project"), "author_id": _USER, "title": "A platypus"}
        return self._post("/api/tickets", body | values)

    def _ticket(self) -> Any:
        made = self._whole_ticket()
        self._kept.setdefault("ticket_id", made["id"])
        return made["ticket_number"]

    def _ticket_id(self) -> Any:
        return self._whole_ticket()["id"]

    def _claimed_ticket(self) -> Any:
        number = self._ticket()
        self._post(self._ticket_path(number, "/claim"), {"claimer_id": _USER})
        return number

    def _comment(self) -> Any:
        path = self._ticket_path(self.get("ticket"), "/comments")
        return self._post(path, {"author_id": _USER, "body": "hello"})["id"]

    def _label(self) -> Any:
        path = f"/api/projects/{self.get('project')}/labels"
        body = {"name": f"Label {self._count}", "color": "#123456"}
        return self._post(path, body)["id"]

    def _attached_label(self) -> Any:
        label = self._label()
        self._post(self._ticket_path(self.get("ticket"), f"/labels/{label}"), {})
        return label

    def _milestone(self) -> Any:
        path = f"/api/projects/{self.get('project')}/milestones"
        return self._post(path, {"title": f"Milestone {self._count}"})["id"]

    def _attachment(self) -> Any:
        path = self._ticket_path(self.get("ticket"), "/attachments")
        return self._post(path, files=_GIF, data={"uploaded_by_id": _USER})["id"]

    def _profile(self) -> Any:
        return self._post("/api/profiles", {"type": "user", "name": f"Ann {self._count}"})["id"]

    def _setting(self) -> str:
        body = {"profile_id": _USER, "setting_key": "theme", "setting_value": "dark"}
        self._http.put("/api/profile-settings", json=body).raise_for_status()
        return "theme"

    def _subscription(self) -> Any:
        body = {"subscriber_id": _USER, "event_type": self._event_type()}
        return self._post("/api/subscriptions", body)["id"]

    def _event_type(self) -> str:
        return f"custom.number_{self._count}"

    def _event(self) -> Any:
        self.get("ticket")
        answer = self._http.get("/api/events", params={"event_type": "ticket.created"})
        return answer.json()[0]["id"]

    # Agents

    def _whole_agent(self, **values: Any) -> Any:
        body = {
            "name": f"Agent {self._count}",
            "description": "d",
            "system_prompt": "Work.",
            "project_id": self.get("project"),
            "config": {"backend_type": "mock", "enabled_for_chat": True},
        }
        return self._post("/api/agents", body | values)

    def _agent(self) -> Any:
        made = self._whole_agent()
        self._kept.setdefault("agent_slug", made["slug"])
        return made["id"]

    def _agent_slug(self) -> Any:
        return self._whole_agent()["slug"]

    def _shy_agent(self) -> Any:
        return self._whole_agent(config={"backend_type": "mock", "enabled_for_chat": False})["id"]

    def _trigger(self) -> Any:
        path = f"/api/agents/{self.get('agent')}/triggers"
        body = {"event_type": "ticket.created", "project_id": self.get("project")}
        return self._post(path, body)["id"]

    def _invocation(self) -> Any:
        self.get("trigger")
        made = self._post("/api/agents/process-event", {"event_id": self.get("event")})
        found = made["invocations"] or self._http.get("/api/invocations").json()
        return found[0]["id"]

    def _session(self) -> Any:
        body = {"backend_type": "mock", "agent_id": self.get("agent")}
        return self._post("/api/sessions", body)["kombuse_session_id"]

    # Packages

    def _export(self) -> Any:
        body = {
            "package_name": "table-pack",
            "project_id": self.get("project"),
            "agent_ids": [self.get("agent")],
            "archive_format": "tar.gz",
            "overwrite": True,
        }
        return self._post("/api/plugins/export", body)

    def _package(self) -> Any:
        """A folder, for a file has to be added to what was exported."""
        folder = Path(self._export()["directory"])
        (folder / "files").mkdir(exist_ok=True)
        (folder / "files" / "guide.md").write_text("# Guide\n", encoding="utf-8")
        return str(folder)

    def _package_version(self) -> Any:
        manifest = Path(self.get("package")) / ".kombuse-plugin" / "plugin.json"
        return json.loads(manifest.read_text(encoding="utf-8"))["version"]

    def _plugin_in(self, project: Any) -> Any:
        body = {"package_path": self.get("package"), "project_id": project}
        return self._post("/api/plugins/install", body)["plugin_id"]

    def _plugin_project(self) -> Any:
        self.get("plugin")
        return self._kept["plugin_project"]

    def _plugin(self) -> Any:
        project = self._new_project(local_path=str(self._new_folder()))["id"]
        self._kept.setdefault("plugin_project", project)
        return self._plugin_in(project)

    def _plugin_agent(self) -> Any:
        plugin = self.get("plugin")
        params = {"project_id": self.get("plugin_project")}
        agents = self._http.get("/api/agents", params=params).json()
        return next(agent["id"] for agent in agents if agent["plugin_id"] == plugin)

    def _file(self) -> Any:
        return self._http.get(f"/api/plugins/{self.get('plugin')}/files").json()[0]["id"]

    def _sourced_project(self) -> Any:
        """A project that finds the package in a folder."""
        folder = Path(self.get("package"))
        source = {"type": "filesystem", "path": str(folder.parent)}
        project = self._new_project(local_path=str(self._new_folder()))["id"]
        body = {"project_id": project, "sources": [source]}
        self._http.put("/api/plugin-sources", json=body).raise_for_status()
        return project

    def _sourced_plugin(self) -> Any:
        body = {"name": "table-pack", "project_id": self._sourced_project()}
        return self._post("/api/plugins/install-remote", body)["plugin_id"]

    def _closed_registry(self) -> str:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            return f"http://127.0.0.1:{probe.getsockname()[1]}"

    # The machine

    def _claude_path(self) -> str:
        """A folder that Claude Code has worked in, with one session."""
        path = self._new_folder()
        folder = self._home / ".claude" / "projects" / str(path).replace("/", "-")
        folder.mkdir(parents=True)
        session = str(uuid.uuid4())
        line = {
            "type": "user",
            "sessionId": session,
            "uuid": str(uuid.uuid4()),
            "timestamp": "2030-01-02T00:00:00.000Z",
            "parentUuid": None,
            "cwd": str(path),
            "message": {"role": "user", "content": "hello"},
        }
        (folder / f"{session}.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
        self._kept["claude_session"] = session
        return str(path)

    def _claude_session(self) -> Any:
        self.get("claude_path")
        return self._kept["claude_session"]

    def _new_folder(self) -> Path:
        path = self._base / f"folder-{self._count}-{uuid.uuid4().hex[:6]}"
        path.mkdir()
        return path

    def _folder(self) -> str:
        return str(self._new_folder())

    def _uuid(self) -> str:
        return str(uuid.uuid4())

    def _name(self) -> str:
        return f"pack-{self._count}"
