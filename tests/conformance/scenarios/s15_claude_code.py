"""The session files of Claude Code."""
import json
import uuid
from pathlib import Path

from kit import Group

ENC = lambda path: path.replace("/", "-")

def claude_files(ctx):
    """Two projects in ~/.claude/projects of the server, one with a session file."""
    root = ctx.home / ".claude" / "projects"
    ids = []
    for n, name in enumerate(["ccone", "cctwo"], 1):
        path = f"{ctx.vars['work']}/{name}"
        Path(path).mkdir(parents=True, exist_ok=True)
        d = root / ENC(path)
        d.mkdir(parents=True, exist_ok=True)
        sid, old = str(uuid.uuid4()), str(uuid.uuid4())
        ids.append(sid)
        ctx.vars[f"cc{n}"], ctx.vars[f"sid{n}"] = path, sid
        entries = [{"sessionId": sid, "messageCount": 4, "created": "2030-01-02T00:00:00.000Z", "modified": f"2030-01-0{n + 2}T00:00:00.000Z", "gitBranch": "main", "projectPath": path},
                   {"sessionId": old, "messageCount": 2, "created": "2029-01-02T00:00:00.000Z", "modified": "2029-01-03T00:00:00.000Z", "gitBranch": "main", "projectPath": path}]
        (d / "sessions-index.json").write_text(json.dumps({"version": 1, "originalPath": path, "entries": entries[:3 - n]}))
        meta = {"sessionId": sid, "uuid": str(uuid.uuid4()), "timestamp": "2030-01-02T00:00:00.000Z", "parentUuid": None, "isSidechain": False, "userType": "external", "cwd": path, "version": "1", "gitBranch": "main"}
        lines = [{**meta, "type": "user", "message": {"role": "user", "content": "hello"}},
                 {**meta, "type": "assistant", "message": {"id": "m1", "type": "message", "role": "assistant", "model": "x", "content": [{"type": "text", "text": "hi there"}], "stop_reason": None, "usage": {"input_tokens": 1, "output_tokens": 1}}},
                 {**meta, "type": "assistant", "message": {"id": "m2", "type": "message", "role": "assistant", "model": "x", "content": [{"type": "tool_use", "id": "tu1", "name": "Read", "input": {"file_path": "/x"}}], "stop_reason": None, "usage": {"input_tokens": 1, "output_tokens": 1}}},
                 {"type": "assistant", "broken": True}]
        (d / f"{sid}.jsonl").write_text("\n".join(json.dumps(x) for x in lines) + "\n")
    return True

CC = "/api/claude-code"

only = lambda name: (lambda b: [x for x in b if x["name"] == name])

g = Group("claude_code_basic", "claude-code", "public")
g.probe("setup: project files", claude_files, setup=True, needs="home")
g.get("projects found", CC + "/projects", mode="shape", needs="home", eq={"": lambda b: [(x["totalSessions"], x["totalMessages"], x["isImported"]) for x in only("ccone")(b)][-1] == (2, 6, False)})
g.get("sessions of a project", CC + "/sessions", query={"path": "{{cc1}}"}, needs="home", exact=["sessions.*.created", "sessions.*.modified", "sessions.*.gitBranch"])
g.get("sessions without a path", CC + "/sessions", err="any")
g.post("import nothing", CC + "/projects/import", {"paths": []})
g.get("status of the MCP entry", CC + "/mcp", loose=["config_path", "bridge_path", "command"], ignore=["bridge_path", "command"])
g.put("set it without saying what", CC + "/mcp", {})
g.get("status of the Codex MCP entry", "/api/codex/mcp", loose=["config_path"], ignore=["bridge_path", "command"])
