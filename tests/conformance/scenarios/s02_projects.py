"""Projects: CRUD, slugs, filters, init."""
from pathlib import Path

from kit import Group, seed


g = Group("projects_filters", "projects", "public")
g.base()
for i, (name, src) in enumerate([("Orchid", "github"), ("Orchard", "gitlab"), ("Maple", "bitbucket"), ("Birch", None)]):
    body = {"name": f"{name} pf", "owner_id": "{{bob}}", "description": f"tree number {i}"}
    if src:
        body["repo_source"] = src
    g.post(f"create {name}", "/api/projects", body, save={f"q{i}": "id"})
g.get("owner filter, newest first", "/api/projects", query={"owner_id": "{{bob}}"}, ids=["q3", "q2", "q1", "q0"])
g.get("repo_source github", "/api/projects", query={"owner_id": "{{bob}}", "repo_source": "github"}, ids=["q0"])
g.get("repo_source gitlab", "/api/projects", query={"owner_id": "{{bob}}", "repo_source": "gitlab"}, ids=["q1"])
g.get("repo_source bitbucket", "/api/projects", query={"owner_id": "{{bob}}", "repo_source": "bitbucket"}, ids=["q2"])
g.get("repo_source of another kind", "/api/projects", query={"repo_source": "svn"})
g.get("search by a part of the name", "/api/projects", query={"search": "orch", "owner_id": "{{bob}}"}, ids_any=["q0", "q1"])
g.get("search without a hit", "/api/projects", query={"search": "zzz-none", "owner_id": "{{bob}}"})
g.get("limit", "/api/projects", query={"owner_id": "{{bob}}", "limit": 2}, ids=["q3", "q2"])
g.get("limit and offset", "/api/projects", query={"owner_id": "{{bob}}", "limit": 2, "offset": 2}, ids=["q1", "q0"])
g.get("offset past the end", "/api/projects", query={"owner_id": "{{bob}}", "limit": 2, "offset": 9})
g.get("limit 0", "/api/projects", query={"limit": 0})
g.get("limit that is no number", "/api/projects", query={"limit": "many"})
g.get("negative offset", "/api/projects", query={"offset": -1})
g.post("a second project of the same name gets another slug", "/api/projects", {"name": "Maple pf", "owner_id": "{{bob}}"},
       save={"dup": "id"}, exact=["slug"])
g.post("create for an owner that does not exist", "/api/projects", {"name": "X", "owner_id": "no-such-profile"},
       bug="foreign key failure surfaces as 500")
g.post("create with an id that is taken", "/api/projects", {"id": "{{q0}}", "name": "X", "owner_id": "{{bob}}"},
       bug="primary key failure surfaces as 500")
g.patch("change the slug", "/api/projects/{{q3}}", {"slug": "birch-renamed"})
g.get("the new slug resolves", "/api/projects/birch-renamed", eq={"id": "{{q3}}"})
g.get("the old slug does not", "/api/projects/birch-pf")
g.patch("change the slug to one that is taken", "/api/projects/{{q3}}", {"slug": "orchid-pf"},
        seed=seed("duplicate slug is 409 in the API reference, 500 in the reference implementation", 409, {"error": "<str>"}))
g.patch("change to a bad slug", "/api/projects/{{q3}}", {"slug": "Bad Slug"})
g.patch("an empty update changes nothing", "/api/projects/{{q0}}", {})
g.get("nested routes resolve a slug", "/api/projects/birch-renamed/labels")
g.get("nested routes refuse an unknown slug", "/api/projects/no-such-slug/labels")
g.delete("delete by slug", "/api/projects/birch-renamed")
g.post("ticket in a project to be deleted", "/api/tickets", {"project_id": "{{q2}}", "author_id": "{{me}}", "title": "doomed"}, save={"dt": "ticket_number"})
g.delete("delete a project that has tickets", "/api/projects/{{q2}}")
g.get("its tickets are gone too", "/api/projects/{{q2}}/tickets/by-number/{{dt}}")

g = Group("projects_init", "projects", "public")
g.base()
g.post("init without a local_path", "/api/projects/{{p}}/init", {})
g.post("init of an unknown project", "/api/projects/no-such-project/init", {})
def mkdir(name):
    def fn(ctx):
        (Path(ctx.vars["work"]) / name).mkdir(exist_ok=True)
        return {"made": True}
    return fn

def tree(name):
    def fn(ctx):
        root = Path(ctx.vars["work"]) / name
        git = root / ".gitignore"
        return {"mcp_config": (root / ".mcp.json").exists() or (root / ".claude" / "mcp.json").exists(),
                "agents_md": (root / "AGENTS.md").exists(), "kombuse_dir": (root / ".kombuse").is_dir(),
                "ignored": git.exists() and ".kombuse/" in git.read_text()}
    return fn

g.probe("setup: folder", mkdir("one"), setup=True)
g.post("create with a local_path", "/api/projects", {"name": "Local one", "owner_id": "{{me}}", "local_path": "{{work}}/one"},
       save={"l": "id"}, optional=["warning"])
g.probe("creating with a local_path ran the setup", tree("one"))
g.probe("the MCP configuration is at .claude/mcp.json", lambda c: {"there": (Path(c.vars["work"]) / "one" / ".claude" / "mcp.json").exists()},
        seed=seed("init writes .claude/mcp.json; the reference implementation writes .mcp.json", "probe", {"there": True}))
g.post("init again skips what is there", "/api/projects/{{l}}/init", {}, mode="shape")
