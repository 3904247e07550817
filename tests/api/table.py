"""Every endpoint, WebSocket message and MCP tool of the API reference: what is sent, what comes.

A name in braces stands for a value of `tests/api/world.py`: `{ticket}` for one that all rows share,
`{new_ticket}` for one that is made for this request. A string that is nothing but such a name keeps
the type of the value.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "DESKTOP_TOOLS",
    "ENDPOINTS",
    "OWN_ENDPOINTS",
    "SOCKET_MESSAGES",
    "TOOLS",
    "Endpoint",
    "Failure",
]

UNKNOWN = "00000000-0000-4000-8000-00000000dead"
PAGE = {"limit": 5, "offset": 1}


@dataclass(frozen=True, slots=True)
class Failure:
    """A documented refusal. What is not given here is as in the successful request."""

    status: int
    path: str | None = None
    query: Mapping[str, Any] | None = None
    body: Any = None
    form: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`query` are the documented parameters, each tried alone beside those in `needed`.

    `path` names the parameters as the application does; `at` is the path of the successful request.
    `may` are statuses that depend on the machine, for instance on whether there is a browser.
    """

    method: str
    path: str
    at: str
    status: int = 200
    needed: Mapping[str, Any] = field(default_factory=dict)
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    optional: Any = None
    form: Mapping[str, Any] | None = None
    failures: tuple[Failure, ...] = ()
    may: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def statuses(self) -> set[int]:
        return {self.status, *self.may, *(failure.status for failure in self.failures)}


def _row(method: str, at: str, status: int, *failures: Failure, **more: Any) -> Endpoint:
    path = more.pop("path", None) or at
    return Endpoint(method=method, path=path, at=at, status=status, failures=failures, **more)


def get(at: str, *failures: Failure, **more: Any) -> Endpoint:
    return _row("GET", at, 200, *failures, **more)


def post(at: str, status: int, *failures: Failure, **more: Any) -> Endpoint:
    return _row("POST", at, status, *failures, **more)


def patch(at: str, *failures: Failure, **more: Any) -> Endpoint:
    return _row("PATCH", at, 200, *failures, **more)


def put(at: str, *failures: Failure, **more: Any) -> Endpoint:
    return _row("PUT", at, 200, *failures, **more)


def delete(at: str, *failures: Failure, **more: Any) -> Endpoint:
    return _row("DELETE", at, more.pop("status", 204), *failures, **more)


def gone(path: str, **more: Any) -> Failure:
    return Failure(404, path=path, **more)


def bad(body: Any = None, **more: Any) -> Failure:
    return Failure(400, body=body, **more)


TICKETS = "/api/projects/{project}/tickets/by-number"
TICKET = f"{TICKETS}/{{ticket}}"
NO_TICKET = f"{TICKETS}/99999"
BAD_TICKET = f"{TICKETS}/abc"


def of_ticket(rest: str) -> tuple[Failure, Failure]:
    return gone(NO_TICKET + rest), bad(path=BAD_TICKET + rest)


def analytics(name: str, **query: Any) -> Endpoint:
    return get(
        f"/api/analytics/{name}",
        Failure(400, query={"project_id": "{project}", "days": "all"}),
        needed={"project_id": "{project}"},
        query=query,
    )


_TICKETS = (
    get(
        "/api/tickets",
        bad(query={"status": "gone"}),
        bad(query={"priority": 9}),
        bad(query={"sort_by": "colour"}),
        bad(query={"search": "x" * 201}),
        query=PAGE
        | {
            "project_id": "{project}",
            "status": "open",
            "priority": 2,
            "author_id": "user-1",
            "assignee_id": "user-1",
            "claimed_by_id": "user-1",
            "unclaimed": True,
            "expired_claims": True,
            "milestone_id": "{milestone}",
            "viewer_id": "user-1",
            "search": "platypus",
            "sort_by": "last_activity_at",
            "sort_order": "desc",
            "label_ids": "{label}",
        },
    ),
    get("/api/tickets/counts", bad(query={}), needed={"project_id": "{project}"}),
    get(TICKET, *of_ticket("")),
    post(
        "/api/tickets",
        201,
        bad({}),
        Failure(422, body={"project_id": UNKNOWN, "author_id": "user-1", "title": "t"}),
        body={"project_id": "{project}", "author_id": "user-1", "title": "Made"},
        optional={
            "body": "text",
            "status": "blocked",
            "priority": 4,
            "assignee_id": "user-1",
            "milestone_id": "{milestone}",
            "label_ids": ["{label}"],
            "triggers_enabled": False,
            "loop_protection_enabled": True,
            "external_source": "elsewhere",
            "external_id": "7",
            "external_url": "https://example.com/7",
        },
    ),
    patch(
        TICKET,
        *of_ticket(""),
        bad({"status": "gone"}),
        body={"title": "Changed"},
        optional={"status": "in_progress", "priority": None, "updated_by_id": "user-1"},
    ),
    delete(f"{TICKETS}/{{new_ticket}}", *of_ticket("")),
    post(
        f"{TICKETS}/{{new_ticket}}/claim",
        200,
        *of_ticket("/claim"),
        bad({}),
        Failure(409, path=f"{TICKETS}/{{claimed_ticket}}/claim", body={"claimer_id": "{profile}"}),
        body={"claimer_id": "user-1"},
        optional={"duration_minutes": 5},
    ),
    post(
        f"{TICKETS}/{{claimed_ticket}}/unclaim",
        200,
        *of_ticket("/unclaim"),
        body={"requester_id": "user-1"},
        optional={"force": True},
    ),
    post(
        f"{TICKETS}/{{claimed_ticket}}/claim/extend",
        200,
        *of_ticket("/claim/extend"),
        bad({}),
        body={"additional_minutes": 5},
    ),
    post(f"{TICKET}/view", 200, *of_ticket("/view"), bad({}), body={"profile_id": "user-1"}),
    get(f"{TICKET}/timeline", *of_ticket("/timeline")),
)

_COMMENTS = (
    get(
        f"{TICKET}/comments",
        *of_ticket("/comments"),
        bad(query={"parent_id": "x"}),
        query=PAGE | {"author_id": "user-1", "parent_id": "null"},
    ),
    get("/api/comments/{comment}", gone("/api/comments/99999")),
    post(
        f"{TICKET}/comments",
        201,
        *of_ticket("/comments"),
        bad({}),
        body={"author_id": "user-1", "body": "hi @[Me](user-1), see #1"},
        optional={
            "parent_id": "{comment}",
            "kombuse_session_id": "{session}",
            "external_source": "elsewhere",
            "external_id": "8",
        },
    ),
    patch(
        "/api/comments/{comment}",
        gone("/api/comments/99999"),
        bad({"body": 5}),
        body={"body": "new"},
    ),
    delete("/api/comments/{new_comment}", bad(path="/api/comments/abc")),
    get(
        "/api/comments/{comment}/mentions",
        bad(path="/api/comments/abc/mentions"),
        gone("/api/comments/99999/mentions"),
    ),
)

_PROJECTS = (
    get(
        "/api/projects",
        bad(query={"limit": 0}),
        bad(query={"offset": -1}),
        bad(query={"repo_source": "sourceforge"}),
        query=PAGE | {"owner_id": "user-1", "repo_source": "github", "search": "w"},
    ),
    get("/api/projects/{project}", gone(f"/api/projects/{UNKNOWN}")),
    post(
        "/api/projects",
        201,
        bad({}),
        Failure(409, body={"name": "x", "owner_id": "user-1", "slug": "{slug}"}),
        body={"name": "Another", "owner_id": "user-1"},
        optional={
            "id": "{uuid}",
            "slug": "another-one",
            "description": "d",
            "local_path": "{folder}",
            "repo_source": "github",
            "repo_owner": "o",
            "repo_name": "n",
        },
    ),
    patch(
        "/api/projects/{project}",
        gone(f"/api/projects/{UNKNOWN}"),
        bad({"slug": "Not A Slug"}),
        Failure(409, body={"slug": "{other_slug}"}),
        body={"description": "new"},
    ),
    delete("/api/projects/{new_project}", gone(f"/api/projects/{UNKNOWN}")),
    post(
        "/api/projects/{project}/init",
        200,
        gone(f"/api/projects/{UNKNOWN}/init"),
        bad(path="/api/projects/{new_project}/init"),
        body={},
        optional={
            "skipMcpJson": True,
            "skipAgentsMd": True,
            "skipKombuseDir": True,
            "skipGitignore": True,
        },
    ),
)

_LABELS = (
    get(
        "/api/projects/{project}/labels",
        gone(f"/api/projects/{UNKNOWN}/labels"),
        bad(query={"sort": "colour"}),
        query={"search": "l", "sort": "usage", "usage_scope": "open", "is_enabled": True},
    ),
    get("/api/labels/{label}", gone("/api/labels/99999")),
    post(
        "/api/projects/{project}/labels",
        201,
        gone(f"/api/projects/{UNKNOWN}/labels"),
        bad({"name": "x", "color": "red"}),
        body={"name": "{new_name}"},
        optional={"color": "#aabbcc", "description": "d"},
    ),
    patch(
        "/api/labels/{label}",
        gone("/api/labels/99999"),
        bad({"color": "red"}),
        body={"name": "Renamed"},
        optional={"color": "#000000", "description": "d", "is_enabled": True},
    ),
    delete("/api/labels/{new_label}", gone("/api/labels/99999")),
    get(f"{TICKET}/labels", *of_ticket("/labels")),
    post(
        f"{TICKET}/labels/{{new_label}}",
        201,
        gone(f"{NO_TICKET}/labels/{{label}}"),
        gone(f"{TICKET}/labels/99999"),
        body={},
        optional={"added_by_id": "user-1"},
    ),
    delete(
        f"{TICKET}/labels/{{attached_label}}",
        gone(f"{NO_TICKET}/labels/{{label}}"),
        body={},
        optional={"removed_by_id": "user-1"},
    ),
    get("/api/labels/{label}/triggers", gone("/api/labels/99999/triggers")),
    get(
        "/api/projects/{project}/smart-label-ids", gone(f"/api/projects/{UNKNOWN}/smart-label-ids")
    ),
)

_PERMISSIONS = [
    {
        "type": "resource",
        "resource": "ticket",
        "actions": ["read", "create", "update", "delete"],
        "scope": "project",
        "filter": {},
    },
    {"type": "tool", "tool": "Bash", "scope": "invocation"},
]
_CONFIG = {
    "backend_type": "mock",
    "model": "m",
    "max_tokens": 100,
    "temperature": 0.5,
    "enabled_for_chat": True,
    "can_invoke_agents": True,
    "max_chain_depth": 3,
    "auto_approved_tools_override": ["Read"],
    "auto_approved_bash_commands_override": ["ls"],
    "retry_on_failure": True,
    "max_retries": 1,
    "timeout_ms": 60_000,
    "anthropic": {"thinking": {"type": "disabled"}},
    "openai": {"response_format": {"type": "text"}},
}
_AGENT = {"name": "Robo", "description": "d", "system_prompt": "Work."}
_AGENTS = (
    get(
        "/api/agents",
        bad(query={"is_enabled": "maybe"}),
        query=PAGE | {"is_enabled": True, "enabled_for_chat": True, "project_id": "{project}"},
    ),
    get("/api/agents/{agent}", gone(f"/api/agents/{UNKNOWN}")),
    get(
        "/api/agents/by-slug/{agent_slug}",
        gone("/api/agents/by-slug/no-such-agent"),
        query={"plugin_id": "{plugin}"},
        may=(404,),
    ),
    post(
        "/api/agents",
        201,
        bad({}),
        bad(_AGENT | {"id": "no-uuid"}),
        Failure(409, body=_AGENT | {"slug": "{agent_slug}"}),
        body=_AGENT,
        optional={
            "id": "{uuid}",
            "slug": "robo-one",
            "permissions": _PERMISSIONS,
            "config": _CONFIG,
            "is_enabled": True,
            "project_id": "{project}",
        },
    ),
    patch(
        "/api/agents/{agent}",
        gone(f"/api/agents/{UNKNOWN}"),
        bad({"config": {"max_chain_depth": 101}}),
        body={"system_prompt": "Work well."},
        optional={"permissions": _PERMISSIONS, "config": _CONFIG, "is_enabled": True},
    ),
    post(
        "/api/agents/{plugin_agent}/reset-to-plugin-defaults",
        200,
        gone(f"/api/agents/{UNKNOWN}/reset-to-plugin-defaults"),
        Failure(409, path="/api/agents/{agent}/reset-to-plugin-defaults"),
    ),
    delete("/api/agents/{new_agent}", gone(f"/api/agents/{UNKNOWN}")),
    get("/api/agents/{agent}/triggers", gone(f"/api/agents/{UNKNOWN}/triggers")),
    post(
        "/api/agents/{agent}/triggers",
        201,
        gone(f"/api/agents/{UNKNOWN}/triggers"),
        bad({}),
        body={"event_type": "ticket.created"},
        optional={
            "slug": "on-create",
            "project_id": "{project}",
            "conditions": {"label_id": "{label}"},
            "is_enabled": False,
            "priority": 3,
            "allowed_invokers": [
                {"type": "any"},
                {"type": "user"},
                {"type": "agent", "agent_id": "{agent}"},
                {"type": "agent", "agent_type": "kombuse"},
                {"type": "system"},
            ],
        },
    ),
    get("/api/triggers/{trigger}", gone("/api/triggers/99999"), bad(path="/api/triggers/abc")),
    patch(
        "/api/triggers/{trigger}",
        gone("/api/triggers/99999"),
        bad({"is_enabled": "x"}),
        body={"priority": 1},
    ),
    delete(
        "/api/triggers/{new_trigger}", gone("/api/triggers/99999"), bad(path="/api/triggers/abc")
    ),
    get(
        "/api/invocations",
        bad(query={"status": "gone"}),
        query=PAGE
        | {
            "agent_id": "{agent}",
            "trigger_id": "{trigger}",
            "status": "completed",
            "session_id": "{session}",
            "project_id": "{project}",
        },
    ),
    get("/api/invocations/{invocation}", gone("/api/invocations/99999")),
    get("/api/agents/{agent}/invocations", gone(f"/api/agents/{UNKNOWN}/invocations")),
    post(
        "/api/agents/process-event",
        200,
        bad({}),
        Failure(404, body={"event_id": 99999}),
        body={"event_id": "{event}"},
    ),
    post(
        "/api/agents/export",
        200,
        bad({}),
        body={"directory": "{folder}"},
        optional={"agent_ids": ["{agent}"]},
    ),
)

_PROFILES = (
    get(
        "/api/profiles",
        bad(query={"type": "robot"}),
        query=PAGE
        | {
            "type": "user",
            "is_active": True,
            "search": "u",
            "has_agent": True,
            "project_id": "{project}",
        },
    ),
    get("/api/profiles/{profile}", gone(f"/api/profiles/{UNKNOWN}")),
    post(
        "/api/profiles",
        201,
        bad({}),
        body={"type": "user", "name": "Ann"},
        optional={
            "id": "{uuid}",
            "email": "ann@example.com",
            "description": "d",
            "avatar_url": "https://example.com/a.png",
            "external_source": "elsewhere",
            "external_id": "9",
        },
    ),
    patch(
        "/api/profiles/{profile}",
        gone(f"/api/profiles/{UNKNOWN}"),
        bad({"name": ""}),
        body={"name": "New"},
        optional={
            "email": "new@example.com",
            "description": "d",
            "avatar_url": "robot",
            "is_active": True,
        },
    ),
    delete("/api/profiles/{new_profile}", gone(f"/api/profiles/{UNKNOWN}")),
    get("/api/profiles/user-1/settings", path="/api/profiles/{}/settings"),
    get("/api/profiles/user-1/settings/{setting}", path="/api/profiles/{}/settings/{}"),
    put(
        "/api/profile-settings",
        bad({}),
        body={"profile_id": "user-1", "setting_key": "theme", "setting_value": "dark"},
    ),
    delete(
        "/api/profiles/user-1/settings/{setting}",
        gone("/api/profiles/user-1/settings/none"),
        path="/api/profiles/{}/settings/{}",
    ),
)

_SESSIONS = (
    get(
        "/api/sessions",
        bad(query={"limit": 101}),
        bad(query={"status": "gone"}),
        bad(query={"sort_by": "colour"}),
        query=PAGE
        | {
            "ticket_id": "{ticket_id}",
            "project_id": "{project}",
            "agent_id": "{agent}",
            "status": "completed",
            "terminal_reason": "done",
            "has_backend_session_id": False,
            "sort_by": "updated_at",
        },
    ),
    post(
        "/api/sessions",
        201,
        bad({"backend_type": "gpt"}),
        Failure(400, body={"agent_id": "{shy_agent}"}),
        body={},
        optional={
            "backend_type": "mock",
            "model_preference": "m",
            "agent_id": "{agent}",
            "project_id": "{project}",
        },
    ),
    get("/api/sessions/{session}", gone("/api/sessions/chat-none")),
    get(
        "/api/sessions/{session}/events",
        gone("/api/sessions/chat-none/events"),
        bad(query={"limit": 1001}),
        bad(query={"since_seq": "x"}),
        query={"since_seq": 0, "event_type": "message", "limit": 1000},
    ),
    delete("/api/sessions/{new_session}", gone("/api/sessions/chat-none")),
    get(
        "/api/sessions/diagnostics",
        bad(query={"recent_limit": 201}),
        query={"recent_limit": 200},
    ),
)

_EVENTS = (
    get(
        "/api/events",
        bad(query={"limit": 0}),
        bad(query={"since": "yesterday"}),
        bad(query={"ticket_id": "x"}),
        query=PAGE
        | {
            "event_type": "ticket.created",
            "project_id": "{project}",
            "ticket_id": "{ticket_id}",
            "actor_id": "user-1",
            "actor_type": "user",
            "since": "2020-01-01T00:00:00Z",
        },
    ),
    get(f"{TICKET}/events", *of_ticket("/events")),
    post(
        "/api/events",
        201,
        bad({}),
        body={"event_type": "custom.happened", "actor_type": "system", "payload": {"a": 1}},
        optional={
            "project_id": "{project}",
            "ticket_id": "{ticket_id}",
            "comment_id": "{comment}",
            "actor_id": "user-1",
        },
    ),
    get("/api/subscriptions", bad(query={}), needed={"subscriber_id": "user-1"}),
    post(
        "/api/subscriptions",
        201,
        bad({}),
        body={"subscriber_id": "user-1", "event_type": "{new_event_type}"},
        optional={"project_id": "{project}"},
    ),
    get("/api/subscriptions/{subscription}/events", gone("/api/subscriptions/99999/events")),
    post(
        "/api/subscriptions/{subscription}/acknowledge",
        200,
        gone("/api/subscriptions/99999/acknowledge"),
        bad({}),
        body={"last_event_id": "{event}"},
    ),
    delete("/api/subscriptions/{new_subscription}", gone("/api/subscriptions/99999")),
)

_MILESTONES = (
    get(
        "/api/projects/{project}/milestones",
        gone(f"/api/projects/{UNKNOWN}/milestones"),
        bad(query={"status": "gone"}),
        query={"status": "open"},
    ),
    get(
        "/api/milestones/{milestone}",
        gone("/api/milestones/99999"),
        bad(path="/api/milestones/abc"),
    ),
    post(
        "/api/projects/{project}/milestones",
        201,
        gone(f"/api/projects/{UNKNOWN}/milestones"),
        bad({}),
        body={"title": "Fresh"},
        optional={"description": "d", "due_date": "2031-05-06"},
    ),
    patch(
        "/api/milestones/{milestone}",
        gone("/api/milestones/99999"),
        bad({"title": ""}),
        body={"title": "New"},
        optional={"description": None, "due_date": None, "status": "closed"},
    ),
    delete("/api/milestones/{new_milestone}", bad(path="/api/milestones/abc")),
)

_FORM = {"file": ("a.gif", b"GIF89a" + bytes(20), "image/gif"), "uploaded_by_id": "user-1"}
_NO_IMAGE = _FORM | {"file": ("a.exe", b"MZ", "application/x-msdownload")}
_ATTACHMENTS = (
    post(
        f"{TICKET}/attachments",
        201,
        gone(f"{NO_TICKET}/attachments"),
        Failure(400, form=_NO_IMAGE),
        Failure(400, form={"file": _FORM["file"]}),
        form=_FORM,
    ),
    post(
        "/api/comments/{comment}/attachments",
        201,
        gone("/api/comments/99999/attachments"),
        Failure(400, form=_NO_IMAGE),
        form=_FORM,
    ),
    get("/api/attachments/{attachment}", gone("/api/attachments/99999")),
    get("/api/attachments/{attachment}/download", gone("/api/attachments/99999/download")),
    get(
        f"{TICKET}/attachments",
        *of_ticket("/attachments"),
        query=PAGE | {"uploaded_by_id": "user-1"},
    ),
    get("/api/comments/{comment}/attachments", gone("/api/comments/99999/attachments")),
    delete("/api/attachments/{new_attachment}", gone("/api/attachments/99999")),
)

_PLUGINS = (
    get("/api/plugins", bad(query={"project_id": ""}), query={"project_id": "{project}"}),
    get("/api/plugins/available", bad(query={}), needed={"project_id": "{project}"}),
    get("/api/plugins/{plugin}", gone("/api/plugins/none")),
    post(
        "/api/plugins/install",
        201,
        bad({}),
        bad({"package_path": "{package}"}),
        Failure(409, body={"package_path": "{package}", "project_id": "{plugin_project}"}),
        body={"package_path": "{package}", "project_id": "{new_project}"},
        optional={"overwrite": True},
    ),
    post(
        "/api/plugins/install-remote",
        201,
        bad({}),
        Failure(404, body={"name": "no-such-package", "project_id": "{sourced_project}"}),
        body={"name": "table-pack", "project_id": "{sourced_project}", "overwrite": True},
        optional={"version": "{package_version}"},
    ),
    post("/api/plugins/{sourced_plugin}/pull", 200, gone("/api/plugins/none/pull"), may=(201,)),
    patch(
        "/api/plugins/{plugin}",
        gone("/api/plugins/none"),
        bad({"is_enabled": "x"}),
        body={},
        optional={"is_enabled": True},
    ),
    delete(
        "/api/plugins/{new_plugin}",
        gone("/api/plugins/none"),
        bad(query={"mode": "burn"}),
        query={"mode": "delete"},
    ),
    post(
        "/api/plugins/export",
        201,
        bad({"package_name": "Not Kebab", "project_id": "{project}"}),
        Failure(409, body={"package_name": "table-pack", "project_id": "{project}"}),
        body={"package_name": "{new_name}", "project_id": "{project}"},
        optional={
            "agent_ids": ["{agent}"],
            "description": "d",
            "overwrite": True,
            "archive_format": "tar.gz",
        },
        may=(200,),
    ),
    post(
        "/api/plugins/publish",
        502,
        bad({}),
        body={
            "package_name": "{new_name}",
            "project_id": "{project}",
            "author": "tester",
            "registry_url": "{closed_registry}",
            "token": "secret",
        },
        optional={
            "agent_ids": ["{agent}"],
            "channel": "beta",
            "version": "1.2.3",
            "description": "d",
            "overwrite": True,
        },
    ),
    get("/api/plugins/{plugin}/check-updates", gone("/api/plugins/none/check-updates")),
    get("/api/plugins/{plugin}/files", gone("/api/plugins/none/files")),
    get("/api/plugins/{plugin}/files/{file}", gone("/api/plugins/{plugin}/files/99999")),
    patch(
        "/api/plugins/{plugin}/files/{file}",
        gone("/api/plugins/{plugin}/files/99999"),
        bad({}),
        body={"content": "new"},
    ),
    get("/api/plugin-sources", bad(query={}), needed={"project_id": "{project}"}),
    put(
        "/api/plugin-sources",
        bad({"project_id": "{project}", "sources": [{"type": "ftp", "path": "x"}]}),
        body={
            "project_id": "{project}",
            "sources": [
                {"type": "filesystem", "path": "/opt/none"},
                {"type": "github", "repo": "acme/plugins", "package_name": "p", "token": "$NONE"},
                {"type": "http", "base_url": "http://127.0.0.1:9"},
            ],
        },
    ),
)

_CLAUDE_CODE = (
    get("/api/claude-code/mcp"),
    put("/api/claude-code/mcp", bad({}), body={"enabled": True}),
    get("/api/codex/mcp"),
    put("/api/codex/mcp", bad({}), body={"enabled": True}),
    get("/api/claude-code/projects"),
    post(
        "/api/claude-code/projects/import",
        201,
        bad({"paths": []}),
        body={"paths": ["{claude_path}"]},
    ),
    get("/api/claude-code/sessions", bad(query={}), needed={"path": "{claude_path}"}),
    get(
        "/api/claude-code/sessions/{claude_session}",
        gone(f"/api/claude-code/sessions/{UNKNOWN}"),
        bad(query={}),
        needed={"path": "{claude_path}"},
    ),
)

_SYSTEM = (
    get(
        "/api/projects/{project}/permissions",
        gone(f"/api/projects/{UNKNOWN}/permissions"),
        bad(query={"behavior": "maybe"}),
        query=PAGE | {"tool_name": "Bash", "behavior": "auto_approved"},
    ),
    get("/api/backend-status"),
    post("/api/backend-status/refresh", 200),
    get("/api/models", bad(query={"backend_type": "gpt"})),
    get("/api/database/tables"),
    post("/api/database/query", 200, bad({"sql": "DELETE FROM tickets"}), body={"sql": "SELECT 1"}),
    get("/api/sync/state"),
    analytics("sessions-per-day", days=7),
    analytics("duration-percentiles", days=7),
    analytics("pipeline-stage-duration", days=7),
    analytics("most-frequent-reads", days=7),
    analytics("tool-calls-per-session", days=7),
    analytics("slowest-tools", days=7),
    analytics("tool-call-volume", days=7),
    analytics("ticket-burndown", days=7),
    get(
        "/api/analytics/agent-runtime-per-ticket",
        bad(query={"project_id": "{project}", "limit": 0}),
        needed={"project_id": "{project}"},
    ),
)

_WINDOWS = "/api/desktop/windows"
_DESKTOP = tuple(
    # Only a server that `kombuse desktop` has started has windows.
    _row(method, at, 404, Failure(404, path=at), body=body, path=path)
    for method, at, path, body in (
        ("GET", _WINDOWS, None, None),
        ("POST", _WINDOWS, None, {}),
        ("POST", f"{_WINDOWS}/1/navigate", f"{_WINDOWS}/{{}}/navigate", {"path": "/"}),
        ("POST", f"{_WINDOWS}/1/execute-js", f"{_WINDOWS}/{{}}/execute-js", {"script": "1"}),
        ("POST", f"{_WINDOWS}/1/wait-for", f"{_WINDOWS}/{{}}/wait-for", {"selector": "b"}),
        ("POST", f"{_WINDOWS}/1/screenshot", f"{_WINDOWS}/{{}}/screenshot", {}),
        ("DELETE", f"{_WINDOWS}/1", f"{_WINDOWS}/{{}}", None),
    )
)

# Without a configured source there is nothing to check and nothing to install.
_UPDATES = tuple(
    row
    for kind in ("updates", "shell-updates")
    for row in (
        get(f"/api/{kind}/status", may=(503,)),
        post(f"/api/{kind}/check", 200, may=(502, 503)),
        post(f"/api/{kind}/install", 409, may=(503,)),
    )
)

ENDPOINTS = (
    *_TICKETS,
    *_COMMENTS,
    *_PROJECTS,
    *_LABELS,
    *_AGENTS,
    *_PROFILES,
    *_SESSIONS,
    *_EVENTS,
    *_MILESTONES,
    *_ATTACHMENTS,
    *_PLUGINS,
    *_CLAUDE_CODE,
    *_SYSTEM,
    *_DESKTOP,
    *_UPDATES,
)

# What this server has beyond the API reference.
OWN_ENDPOINTS = {
    "GET /api/sessions/usage",
    "POST /api/sessions/{}/messages",
    "POST /api/sessions/{}/stop",
    "GET /api/analytics/costs",
    "GET /api/analytics/throughput",
    "GET /api/database/backups",
    "POST /api/database/backups",
    "POST /api/plugins/{}/files/{}/reset",
    "GET /api/plugins/{}/code",
    "POST /api/plugins/{}/code/accept-tools",
    "GET /api/plugins/feeds",
    "GET /api/permissions/pending",
    "POST /api/permissions/{}/{}",
    "POST /api/updates/rollback",
    "GET /api/updates/versions",
    "POST /api/updates/dismiss",
    "POST /api/shell-updates/rollback",
    "GET /api/shell-updates/versions",
    "POST /api/shell-updates/dismiss",
}

# A message to the server, and the type of its first answer.
SOCKET_MESSAGES = (
    ({"type": "subscribe", "topics": ["ticket:1", "session:chat-x"]}, "subscribed"),
    ({"type": "unsubscribe", "topics": ["ticket:1"]}, None),
    ({"type": "chat", "session_id": "{session}", "message": "Hello"}, None),
    ({"type": "stop_session", "session_id": "{session}"}, None),
    (
        {
            "type": "permission.response",
            "kombuseSessionId": "{session}",
            "requestId": "none",
            "behavior": "deny",
            "updatedInput": {},
            "message": "no",
            "alwaysAllow": False,
        },
        None,
    ),
    ({"type": "no.such.message"}, "error"),
)

TOOLS = (
    "get_ticket",
    "get_ticket_comment",
    "add_comment",
    "create_ticket",
    "update_comment",
    "list_tickets",
    "search_tickets",
    "list_projects",
    "list_labels",
    "update_ticket",
    "query_db",
    "list_tables",
    "describe_table",
    "list_api_endpoints",
    "call_api",
    "list_agents",
    "create_agent",
    "update_agent",
)
DESKTOP_TOOLS = (
    "list_windows",
    "open_window",
    "navigate_to",
    "execute_js",
    "wait_for",
    "take_screenshot",
    "save_screenshot",
    "close_window",
)
