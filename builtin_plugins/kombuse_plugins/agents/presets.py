"""What agents of a type do without asking, and what a configuration adds to it."""

import json
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any

from kombuse_sdk.contracts import PackageFiles
from kombuse_sdk.contracts.agents import Preset
from kombuse_sdk.storage import ReadTx

__all__ = ["DEFAULT_TYPE", "of_packages", "preset_json", "resolve", "resolved_type"]

DEFAULT_TYPE = "kombuse"

_READING = ("Grep", "Glob", "Read")
_TRACKER = tuple(
    f"mcp__kombuse__{name}"
    for name in (
        "get_ticket",
        "get_ticket_comment",
        "add_comment",
        "create_ticket",
        "update_comment",
        "update_ticket",
        "list_tickets",
        "search_tickets",
        "list_projects",
        "list_labels",
        "query_db",
        "list_tables",
        "describe_table",
        "list_api_endpoints",
        "call_api",
        "list_agents",
        "create_agent",
        "update_agent",
    )
)
_DESKTOP = tuple(
    f"mcp__kombuse__{name}"
    for name in (
        "list_windows",
        "open_window",
        "navigate_to",
        "execute_js",
        "wait_for",
        "take_screenshot",
        "save_screenshot",
        "close_window",
    )
)
_GIT = ("git status", "git diff", "git log")


_BASES = {
    DEFAULT_TYPE: Preset(
        type=DEFAULT_TYPE,
        auto_approved_tools=(
            *(*_TRACKER, *_DESKTOP, *_READING),
            "mcp__Astro-docs__search_astro_docs",
        ),
        auto_approved_bash_commands=(
            *("git status", "git diff", "git log", "git show", "git branch", "git rev-parse"),
            *("ls", "cat", "find", "grep", "head", "tail", "wc"),
        ),
    ),
    "coder": Preset(
        type="coder",
        auto_approved_tools=(
            *(*_TRACKER, *_READING),
            *("Edit", "Write", "Bash", "Task", "TodoWrite", "EnterPlanMode"),
        ),
        auto_approved_bash_commands=("bun", "npm", *_GIT),
        permission_mode="plan",
    ),
    "generic": Preset(type="generic", auto_approved_tools=_READING, auto_approved_bash_commands=()),
}


def resolved_type(config: Mapping[str, Any]) -> str:
    """The type of an agent; one whose configuration names none is of the default type."""
    named = config.get("type")
    return named if isinstance(named, str) else DEFAULT_TYPE


def resolve(config: Mapping[str, Any], packaged: Preset | None = None) -> Preset:
    """An unknown type keeps its name and has the lists of the default type.

    `packaged` is what the agent's package has in place of the built-in preset.
    """
    name = resolved_type(config)
    base = packaged or _BASES.get(name, _BASES[DEFAULT_TYPE])
    is_cleared = config.get("clear_base_bash_commands") is True
    bash = () if is_cleared else base.auto_approved_bash_commands
    return Preset(
        type=name,
        auto_approved_tools=_merged(
            base.auto_approved_tools, config.get("auto_approved_tools_override")
        ),
        auto_approved_bash_commands=_merged(
            bash, config.get("auto_approved_bash_commands_override")
        ),
        permission_mode=base.permission_mode,
    )


def of_packages(tx: ReadTx) -> Callable[[str | None, Mapping[str, Any]], Preset | None]:
    """Finds the preset that a package has for a configuration; each is read once."""
    files = tx.services.find(PackageFiles)

    @cache
    def read(package_id: str, agent_type: str) -> Preset | None:
        return files.preset(tx, package_id, agent_type) if files else None

    def find(package_id: str | None, config: Mapping[str, Any]) -> Preset | None:
        return None if package_id is None else read(package_id, resolved_type(config))

    return find


@lru_cache(maxsize=1024)
def preset_json(config: str, packaged: Preset | None = None) -> str:
    """`resolved_preset` of the API, for a configuration as JSON text."""
    preset = resolve(json.loads(config), packaged)
    shown = {
        "type": preset.type,
        "autoApprovedTools": preset.auto_approved_tools,
        "autoApprovedBashCommands": preset.auto_approved_bash_commands,
    }
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def _merged(base: tuple[str, ...], added: list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*base, *(added or ()))))
