"""What an agent wants to do, in a few words for a person who decides about it."""

import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from kombuse_plugins.permissions import shell

__all__ = ["describe"]

MAX_LENGTH = 300
MAX_QUESTION = 120

_FILES = {
    "cat": "Show",
    "chmod": "Change the mode of",
    "cp": "Copy to",
    "find": "Look for files in",
    "grep": "Search",
    "head": "Show the start of",
    "ls": "List",
    "mkdir": "Make the folder",
    "mv": "Move to",
    "rm": "Delete",
    "tail": "Show the end of",
    "touch": "Touch",
}
_GIT = {
    "add": "Stage changes",
    "branch": "Work with branches",
    "checkout": "Check out",
    "clone": "Clone a repository",
    "commit": "Commit changes",
    "diff": "Show changes",
    "fetch": "Fetch from a remote",
    "log": "Show the history",
    "merge": "Merge branches",
    "pull": "Pull from a remote",
    "push": "Push to a remote",
    "rebase": "Rebase commits",
    "reset": "Reset to a commit",
    "show": "Show a commit",
    "stash": "Stash changes",
    "status": "Show the state of the work tree",
}
_PACKAGES = {
    "add": "Add packages",
    "build": "Build",
    "ci": "Install the locked packages",
    "i": "Install packages",
    "install": "Install packages",
    "publish": "Publish the package",
    "remove": "Remove packages",
    "run": "Run the script",
    "start": "Start the program",
    "test": "Run the tests",
}
_PROGRAMS = {
    "curl": "Fetch",
    "docker": "Run docker",
    "make": "Make",
    "node": "Run with Node.js",
    "python": "Run with Python",
    "python3": "Run with Python",
    "wget": "Download",
}
_TOOLS = {
    "Edit": "Edit a file",
    "Glob": "Look for files",
    "Grep": "Search in files",
    "MultiEdit": "Edit a file",
    "NotebookEdit": "Edit a notebook",
    "Read": "Read a file",
    "Task": "Start a helper agent",
    "WebFetch": "Fetch a page",
    "WebSearch": "Search the web",
    "Write": "Write a file",
    "mcp__kombuse__add_comment": "Add a comment",
    "mcp__kombuse__create_agent": "Create an agent",
    "mcp__kombuse__create_ticket": "Create a ticket",
    "mcp__kombuse__update_agent": "Change an agent",
    "mcp__kombuse__update_comment": "Change a comment",
    "mcp__kombuse__update_ticket": "Change a ticket",
}


def describe(tool: str, arguments: Mapping[str, Any]) -> str:
    """Never empty, one line, at most `MAX_LENGTH` characters."""
    if tool == "Bash" and isinstance(arguments.get("command"), str):
        text = _command(arguments["command"])
    elif tool == "AskUserQuestion":
        text = _questions(arguments.get("questions"))
    elif tool == "ExitPlanMode":
        text = _plan(arguments.get("allowedPrompts"))
    else:
        about = ", ".join(_context(arguments))
        text = f"{_TOOLS.get(tool, tool)}: {about}" if about else _TOOLS.get(tool, tool)
    return _cut(_line(text), MAX_LENGTH) or "Use a tool"


def _command(command_line: str) -> str:
    """A phrase for the first command, and a warning when there are more."""
    commands = shell.parse(command_line)
    if commands is None:
        words = command_line[:2000].split()
        shown = [*words[:8], "..."] if len(words) > 8 else words
        return " ".join(("Run", *shown)) if shown else "Run a command"
    named = [[word.text for word in c] for c in commands if c[0].text != "cd"]
    if not named:
        return "Change the folder" if commands else "Run a command"
    more = len(named) - 1
    phrase = _simple(named[0])
    return f"{phrase} (+{more} more command{'s' if more > 1 else ''})" if more else phrase


def _simple(words: list[str]) -> str:
    name = PurePosixPath(words[0]).name or words[0]
    operands = [word for word in words[1:] if not word.startswith("-")]
    target = _target(operands)
    first = operands[0] if operands else ""
    if name == "git" and first in _GIT:
        return _with(_GIT[first], _target(operands[1:]))
    if name in ("bun", "npm", "pnpm", "yarn") and first in _PACKAGES:
        return _with(_PACKAGES[first], _target(operands[1:]))
    known = _FILES.get(name) or _PROGRAMS.get(name)
    return _with(known or name, target)


def _target(operands: list[str]) -> str:
    if not operands:
        return ""
    last = operands[-1]
    return _host(last) or PurePosixPath(last).name or last


def _with(phrase: str, target: str) -> str:
    return f"{phrase} {target}" if target else phrase


def _questions(questions: Any) -> str:
    given = questions if isinstance(questions, list) else []
    texts = [q["question"] for q in given if isinstance(q, dict) and _is_text(q.get("question"))]
    if not texts:
        return "Ask a question"
    more = len(texts) - 1
    return _cut(_line(texts[0]), MAX_QUESTION) + (f" (+{more} more)" if more else "")


def _plan(prompts: Any) -> str:
    count = len(prompts) if isinstance(prompts, list) else 0
    if not count:
        return "Approve the plan"
    return f"Approve the plan, with {count} requested tool{'s' if count > 1 else ''}"


def _context(arguments: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    number = arguments.get("ticket_number", arguments.get("ticket_id"))
    if isinstance(number, int | str) and not isinstance(number, bool) and str(number):
        found.append(f"#{number}")
    path = arguments.get("file_path")
    if _is_text(path):
        found.append("/".join(PurePosixPath(path.replace("\\", "/")).parts[-2:]).replace("//", "/"))
    pattern = arguments.get("pattern")
    if _is_text(pattern):
        found.append(json.dumps(pattern, ensure_ascii=False))
    host = _host(arguments.get("url"))
    return [*found, host] if host else found


def _host(url: Any) -> str:
    if not isinstance(url, str) or "://" not in url:
        return ""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())


def _line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
