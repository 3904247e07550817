"""Names, docstrings and sizes of files."""

import ast
from pathlib import Path

import pytest
from tests.architecture.test_imports import FILES, GROUPS, ROOT, SOURCES

VOCABULARY = {
    "__init__",
    "models",
    "schemas",
    "queries",
    "service",
    "routes",
    "mcp_tools",
    "socket_messages",
    "subscribers",
    "pages",
    "cli",
}
NOUNS = {
    "analytics": {"fragments", "representation", "ticket_queries", "windows"},
    "agents": {
        "callers",
        "cli_run",
        "export",
        "package_install",
        "package_merge",
        "package_section",
        "permissions",
        "presets",
        "signals",
        "tool_permissions",
        "warnings",
    },
    "api_tools": {"addresses", "in_process"},
    "attachments": {"downloads", "media", "storage", "trash", "uploads"},
    "backends": {"mock", "script"},
    "claude_code": {
        "backend",
        "command",
        "events",
        "folders",
        "line_schemas",
        "mcp_config",
        "run",
        "session_events",
        "session_files",
        "session_index",
        "session_lines",
        "session_lists",
        "session_page",
        "session_report",
        "session_summary",
        "session_watch",
        "transport",
    },
    "codex": {"backend", "connection", "items", "mcp_config", "run"},
    "comments": {"mentions", "notices"},
    "database": {"backups", "sandbox", "query_process/*"},
    "desktop": {
        "actions",
        "addresses",
        "browser",
        "connection",
        "errors",
        "isolated",
        "isolated_process",
        "mode",
        "page",
        "pictures",
        "program",
        "scripts",
        "windows",
    },
    "events": {"subscriptions"},
    "labels": {"package_section"},
    "mcp": {"callers", "calls", "catalogue", "denials", "endpoint", "json_schema", "server"},
    "packages": {
        "cache",
        "cli_build",
        "cli_code",
        "cli_init",
        "cli_install",
        "cli_output",
        "cli_publish",
        "cli_sources",
        "code",
        "code_review",
        "code_sources",
        "code_states",
        "credentials",
        "digests",
        "draft",
        "export",
        "feeds",
        "guard",
        "installation",
        "package_files",
        "package_names",
        "package_section",
        "pip",
        "places",
        "presets",
        "publishing",
        "remote",
        "remote_schemas",
        "scaffold",
        "source_schemas",
        "sources",
        "surveillance",
        "tool_review",
    },
    "permissions": {
        "announcements",
        "description",
        "expiry",
        "inputs",
        "judgement",
        "programs",
        "remembering",
        "rule_files",
        "rules",
        "shell",
    },
    "projects": {"codex", "init_files", "setup", "slugs"},
    "realtime": {"connection", "endpoint", "frames", "hub", "messages", "socket_protocol"},
    "sessions": {
        "announcements",
        "asking",
        "claims",
        "cleanup",
        "context",
        "conversation",
        "finish",
        "live",
        "opening",
        "payloads",
        "progress",
        "prompts",
        "provider",
        "recorder",
        "render_process",
        "replies",
        "resolution",
        "runner",
        "secrets",
        "signals",
        "states",
        "surroundings",
        "tool_calls",
        "turns",
        "usage",
    },
    "tickets": {
        "claims",
        "cli_output",
        "digest",
        "events",
        "excerpts",
        "pruning",
        "search",
        "views",
    },
    "triggers": {
        "conditions",
        "dispatch",
        "guards",
        "invocations",
        "matching",
        "packages",
        "portable",
    },
    "updates": {
        "announcements",
        "app_manifest",
        "app_updater",
        "choice",
        "configuration",
        "installation",
        "installers",
        "shell_updater",
        "states",
        "version_store",
        "wheels",
    },
}
SHAPELESS = {"utils", "util", "helpers", "common", "manager", "base", "misc", "lib", "core"}
LONGEST = 300
TESTS = {path.relative_to(ROOT).as_posix(): path for path in sorted((ROOT / "tests").rglob("*.py"))}


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def code_lines(path: Path) -> int:
    """Lines with code: no blank lines, comments or docstrings."""
    text = path.read_text(encoding="utf-8")
    told = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            told |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(
        1
        for number, line in lines
        if number not in told and line.strip() and line.strip()[0] != "#"
    )


@pytest.mark.parametrize("group", GROUPS)
def test_a_plugin_uses_the_fixed_names_and_its_own_declared_nouns(group: str) -> None:
    folder = SOURCES["kombuse_plugins"] / group
    nouns = NOUNS.get(group, set())
    names = {
        f"{path.parent.name}/*" if path.parent != folder else path.stem
        for path in folder.rglob("*.py")
    }

    assert names <= VOCABULARY | nouns
    assert nouns <= names


@pytest.mark.parametrize("group", GROUPS)
def test_migrations_are_numbered_without_gaps(group: str) -> None:
    folder = SOURCES["kombuse_plugins"] / group / "migrations"
    numbers = sorted(path.name[:4] for path in folder.glob("*")) if folder.exists() else []

    assert numbers == [f"{number:04d}" for number in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("name", FILES | TESTS)
def test_every_file_says_in_one_line_what_it_is(name: str) -> None:
    first = docstring((FILES | TESTS)[name]).partition("\n")[0]

    assert 5 < len(first) <= 100


@pytest.mark.parametrize("name", FILES)
def test_no_file_is_shapeless_or_long(name: str) -> None:
    path = FILES[name]

    assert path.stem not in SHAPELESS
    assert code_lines(path) <= LONGEST


def test_the_kernel_can_be_read_in_an_hour() -> None:
    """Without its command line, which nothing else in the kernel imports."""
    sizes = {
        name: code_lines(path) for name, path in FILES.items() if name.startswith("kombuse_kernel/")
    }
    kernel = {name: n for name, n in sizes.items() if not name.startswith("kombuse_kernel/cli/")}

    print(*(f"{size:5} {name}" for name, size in sorted(sizes.items())), sep="\n")
    print(f"{sum(kernel.values()):5} lines of code in the kernel, of {sum(sizes.values())} in all")
    assert sum(kernel.values()) < 2000
