"""Backend status, models, and the log of permissions."""
from kit import Group, seed

g = Group("backends_basic", "backend-status", "public")
BS = [{"backendType": b, "available": "<bool>", "version": "<any>"} for b in ("claude-code", "codex")]
MOCKS = seed("lists claude-code, codex and mock; the reference implementation leaves mock out", 200,
             {"<contains>": BS + [{"backendType": "mock", "available": True, "version": "<any>"}]})
g.get("status", "/api/backend-status", mode="shape", eq={"": lambda b: {"claude-code", "codex"} <= {x["backendType"] for x in b}}, anys=["*.version", "*.path", "*.minimumVersion", "*.nodeVersion", "*.minimumNodeVersion"])
g.get("models of claude-code", "/api/models", query={"backend_type": "claude-code"}, mode="shape", eq={"backend_type": "claude-code", "default_model_id": lambda v: bool(v)})
g.get("models of an unknown backend", "/api/models", query={"backend_type": "gpt"})

PERM = "/api/projects/{{p}}/permissions"


g = Group("permissions_basic", "permissions log", "public").base(bob=False)
g.get("nothing yet", PERM)
g.get("of an unknown project", "/api/projects/no-such-slug/permissions")
g.get("an unknown behaviour", PERM, query={"behavior": "maybe"})
