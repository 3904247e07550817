"""What agents of a type do without asking, and what a configuration adds to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kombuse_sdk.contracts.agents import Preset

__all__ = ["DEFAULT_TYPE", "preset_json", "resolve", "resolved_type"]

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


@dataclass(frozen=True, slots=True)
class _Base:
    tools: tuple[str, ...]
    bash: tuple[str, ...] = ()
    permission_mode: str | None = None


_BASES = {
    DEFAULT_TYPE: _Base(
        (*_TRACKER, *_DESKTOP, *_READING, "mcp__Astro-docs__search_astro_docs"),
        (
            *("git status", "git diff", "git log", "git show", "git branch", "git rev-parse"),
            *("ls", "cat", "find", "grep", "head", "tail", "wc"),
        ),
    ),
    "coder": _Base(
        (
            *(*_TRACKER, *_READING),
            *("Edit", "Write", "Bash", "Task", "TodoWrite", "EnterPlanMode"),
        ),
        ("bun", "npm", *_GIT),
        permission_mode="plan",
    ),
    "generic": _Base(_READING),
}


def resolved_type(config: Mapping[str, Any]) -> str:
    """The type of an agent; one whose configuration names none is of the default type."""
    named = config.get("type")
    return named if isinstance(named, str) else DEFAULT_TYPE


def resolve(config: Mapping[str, Any]) -> Preset:
    """An unknown type keeps its name and has the lists of the default type."""
    name = resolved_type(config)
    base = _BASES.get(name, _BASES[DEFAULT_TYPE])
    bash = () if config.get("clear_base_bash_commands") is True else base.bash
    return Preset(
        type=name,
        auto_approved_tools=_merged(base.tools, config.get("auto_approved_tools_override")),
        auto_approved_bash_commands=_merged(
            bash, config.get("auto_approved_bash_commands_override")
        ),
        permission_mode=base.permission_mode,
    )


@lru_cache(maxsize=1024)
def preset_json(config: str) -> str:
    """`resolved_preset` of the API, for a configuration as JSON text."""
    preset = resolve(json.loads(config))
    shown = {
        "type": preset.type,
        "autoApprovedTools": preset.auto_approved_tools,
        "autoApprovedBashCommands": preset.auto_approved_bash_commands,
    }
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


def _merged(base: tuple[str, ...], added: list[str] | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*base, *(added or ()))))
