"""Plugins: export, install, files, enable, uninstall, publish; plugin sources."""
import hashlib
import http.server
import json
import threading
from pathlib import Path

from kit import Group, seed

A = "/api/agents"
PL = "/api/plugins"
LOOSE = ["*.manifest", "manifest", "*.directory"]
def folders(*names):
    def fn(ctx):
        for n in names:
            (Path(ctx.vars["work"]) / n).mkdir(parents=True, exist_ok=True)
        return True
    return fn

def prepare(g, targets=1):
    """A project with a label, an agent and a trigger, and target projects to install into."""
    g.probe("setup: folders", folders("src", *[f"dst{i}" for i in range(1, targets + 1)]), setup=True)
    g.base(local_path="{{work}}/src")
    g.post("setup: label", "/api/projects/{{p}}/labels", {"name": "Plugin Label", "color": "#123456", "description": "of the plugin"}, save={"l": "id"}, setup=True)
    g.post("setup: agent", A, {"name": f"Packed {g.name}", "description": "packed agent", "slug": "packed-" + g.name.replace("_", "-"), "system_prompt": "Original prompt.",
           "project_id": "{{p}}", "permissions": [{"type": "resource", "resource": "ticket", "actions": ["read"], "scope": "project"}],
           "config": {"backend_type": "mock", "enabled_for_chat": True}}, save={"a": "id", "slug": "slug"}, setup=True)
    g.post("setup: trigger", A + "/{{a}}/triggers", {"event_type": "label.added", "slug": "on-label", "conditions": {"label_id": "{{l}}"}}, save={"tr": "id"}, setup=True)
    for i in range(1, targets + 1):
        g.post(f"setup: target project {i}", "/api/projects", {"name": f"Target {i} {g.name}", "owner_id": "{{me}}", "local_path": "{{work}}/dst%d" % i}, save={f"d{i}": "id"}, setup=True)
    return g

def add_file(name, text):
    def fn(ctx):
        f = Path(ctx.vars["pkg"]) / "files" / name
        f.parent.mkdir(parents=True, exist_ok=True)
        f.write_text(text)
        return True
    return fn

REASON_ARCHIVE = "install takes a .tar.gz package; the reference implementation takes an unpacked folder only"
EXPORT = {"package_name": "conf-pack", "project_id": "{{p}}", "agent_ids": ["{{a}}"], "description": "a pack", "archive_format": "tar.gz"}
g = prepare(Group("plugins_basic", "plugins", "public"), 2)
g.get("no plugins yet", PL, query={"project_id": "{{d1}}"})
g.post("export", PL + "/export", EXPORT, save={"pkg": "directory", "tgz": "archive.path"}, loose=["archive.path", "archive.checksum", "files"])
g.probe("the package is on disk", lambda c: {"manifest": (Path(c.vars["pkg"]) / ".kombuse-plugin" / "plugin.json").exists(),
                                            "agents": sorted(p.name for p in (Path(c.vars["pkg"]) / "agents").glob("*.md")),
                                            "archive": Path(c.vars["tgz"]).read_bytes()[:2].hex()}, exact=["agents.*", "archive"])
g.post("export again without overwrite", PL + "/export", EXPORT)
g.post("export with a bad package name", PL + "/export", {**EXPORT, "package_name": "Conf Pack"})
g.probe("setup: bundle a file", add_file("guide.md", "# Guide\n"), setup=True)
g.post("install", PL + "/install", {"package_path": "{{pkg}}", "project_id": "{{d1}}"}, save={"pl": "plugin_id"})
g.post("install from the archive", PL + "/install", {"package_path": "{{tgz}}", "project_id": "{{d2}}"},
       seed=seed(REASON_ARCHIVE, 201, {"plugin_id": "<str>", "plugin_name": "conf-pack", "agents_created": 1, "agents_updated": 0, "labels_created": 1,
                                       "labels_merged": 0, "triggers_created": 1, "triggers_updated": 0, "files_imported": "<int>", "files_preserved": 0, "warnings": []}))
g.post("install again", PL + "/install", {"package_path": "{{pkg}}", "project_id": "{{d1}}"})
g.get("list", PL, query={"project_id": "{{d1}}"}, ids=["pl"], loose=LOOSE)
g.get("get", PL + "/{{pl}}", loose=LOOSE)
g.get("get an unknown one", PL + "/no-such-plugin")
g.get("list with an empty project", PL, query={"project_id": ""})
g.get("its agent", A + "/by-slug/{{slug}}", query={"plugin_id": "{{pl}}"}, ignore=["resolved_preset", "plugin_base", "config"])
g.get("its files", PL + "/{{pl}}/files", save={"f": "0.id"}, loose=["*.content_hash"])
g.get("one file", PL + "/{{pl}}/files/{{f}}", loose=["content_hash"])
g.patch("change the file", PL + "/{{pl}}/files/{{f}}", {"content": "# My guide\n"}, loose=["content_hash"])
g.get("an unknown file", PL + "/{{pl}}/files/999999")
g.patch("disable", PL + "/{{pl}}", {"is_enabled": False}, loose=LOOSE)
g.post("install from a path that does not exist", PL + "/install", {"package_path": "{{work}}/nowhere", "project_id": "{{d1}}"})
g.post("install without a project", PL + "/install", {"package_path": "{{pkg}}"})
g.delete("uninstall detaches by default", PL + "/{{pl}}")
g.get("the agent stays, on its own", A, query={"project_id": "{{d1}}"}, mode="shape", eq={"": lambda b: [x["plugin_id"] for x in b if x["slug"] == "packed-plugins-basic"] == [None]})
g.delete("uninstall an unknown one", PL + "/{{pl}}")
g.get("available ones need a project", PL + "/available")


class Registry(http.server.BaseHTTPRequestHandler):
    """Takes whatever is published."""

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        version = "1.2.3"
        author, name = self.path.split("?")[0].split("/")[-2:]
        published = {"author": author, "name": name, "version": version, "channel": "stable",
                     "checksum": hashlib.sha256(data).hexdigest(), "download_url": "https://registry.example/x.tar.gz"}
        body = json.dumps({"published": published}).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Nothing is printed."""


def registry(ctx):
    srv = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=srv.serve_forever, daemon=True).start()
    ctx.vars["registry"] = f"http://127.0.0.1:{srv.server_address[1]}"
    return True

PUB = {"package_name": "conf-pack", "project_id": "{{p}}", "author": "conf-author", "registry_url": "{{registry}}", "token": "good-token",
       "agent_ids": ["{{a}}"], "version": "1.2.3"}


g = prepare(Group("plugins_publish_basic", "plugins", "public"), 1)
g.probe("setup: a registry", registry, setup=True)
g.post("publish", PL + "/publish", PUB, exact=["download_url", "channel"])
g.post("publish with nothing", PL + "/publish", {})
g.post("install by name from nowhere", PL + "/install-remote", {"project_id": "{{d1}}"})
g.post("pull an unknown plugin", PL + "/no-such-plugin/pull")
g.get("check an unknown plugin for updates", PL + "/no-such-plugin/check-updates")
PS = "/api/plugin-sources"

g = Group("plugin_sources_basic", "plugin-sources", "public")
g.probe("setup: folder", folders("repo"), setup=True)
g.base(local_path="{{work}}/repo", bob=False)
g.get("the three categories", PS, query={"project_id": "{{p}}"}, loose=["default_sources.*.path", "default_sources.*.label"], optional=["default_sources.*.label"])
g.get("without a project", PS)
g.put("set the project's sources", PS, {"project_id": "{{p}}", "sources": [{"type": "filesystem", "path": "/opt/plugins"}]}, ignore=["default_sources"])
g.put("a source of an unknown type", PS, {"project_id": "{{p}}", "sources": [{"type": "ftp", "path": "x"}]})
