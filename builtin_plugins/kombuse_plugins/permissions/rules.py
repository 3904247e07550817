"""What is approved without asking."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kombuse_plugins.permissions import programs, shell

__all__ = ["BASH", "NO_RULES", "QUESTIONS", "Rules", "approves_command", "changes_rules", "entry"]

BASH = "Bash"
# They ask a person something: only a rule that names one exactly answers in the person's place.
QUESTIONS = frozenset({"AskUserQuestion", "ExitPlanMode"})
_READERS = frozenset({"Glob", "Grep", "LS", "NotebookRead", "Read"})
_PATHS = ("file_path", "notebook_path", "path")


@dataclass(frozen=True, slots=True)
class Rules:
    """Names of tools, exactly as they are, and prefixes of commands for the tool Bash."""

    tools: frozenset[str] = frozenset()
    commands: frozenset[str] = frozenset()

    def __or__(self, other: "Rules") -> "Rules":
        return Rules(self.tools | other.tools, self.commands | other.commands)

    def __sub__(self, other: "Rules") -> "Rules":
        return Rules(self.tools - other.tools, self.commands - other.commands)

    def approve(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        if tool in self.tools:
            return True
        command = arguments.get("command")
        if tool != BASH or not isinstance(command, str):
            return False
        if arguments.get("run_in_background") or arguments.get("dangerouslyDisableSandbox"):
            return False
        return approves_command(command, self.commands)


NO_RULES = Rules()


def approves_command(command_line: str, prefixes: Iterable[str]) -> bool:
    """Whether every simple command is within a prefix, word by word, or is a mere `cd <path>`."""
    wanted = [tuple(prefix.split()) for prefix in prefixes]
    commands = shell.parse(command_line) if wanted else None
    return bool(commands) and all(
        programs.is_harmless_move(command)
        or any(programs.is_within(command, prefix) for prefix in wanted)
        for command in commands or ()
    )


def entry(tool: str, prefix: str | None = None) -> str:
    """A rule as permission files write it."""
    return tool if prefix is None else f"{BASH}({prefix} *)"


def changes_rules(tool: str, arguments: Mapping[str, Any], home: Path, folder: str | None) -> bool:
    """Whether a tool would write where rules are kept: that is asked whatever the rules say."""
    if tool in _READERS or tool == BASH:
        return False
    given = [arguments.get(name) for name in _PATHS]
    return any(isinstance(value, str) and _is_guarded(value, home, folder) for value in given)


def _is_guarded(text: str, home: Path, folder: str | None) -> bool:
    try:
        path = Path(os.path.realpath(Path(folder or "/", Path(text).expanduser())))
        is_at_home = path.is_relative_to(os.path.realpath(home))
    except (OSError, ValueError, RuntimeError):
        return True
    is_rules = path.name.casefold() == "permissions.json" and (
        path.parent.name.casefold() == ".kombuse"
    )
    return is_at_home or is_rules
