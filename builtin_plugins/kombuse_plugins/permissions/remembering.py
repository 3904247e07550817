""" "Always allow": what is remembered of an answer, and where.

Narrowly: the name of a tool, or of a command the prefix that says what it does. It is added to the
agent's configuration and to the permission file of the project's folder.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kombuse_plugins.permissions import programs
from kombuse_plugins.permissions.inputs import IS_CUT
from kombuse_plugins.permissions.rule_files import PermissionFiles
from kombuse_plugins.permissions.rules import BASH, QUESTIONS, entry
from kombuse_sdk import config_files
from kombuse_sdk.contracts import Agents
from kombuse_sdk.errors import NotFound
from kombuse_sdk.storage import WriteTx

__all__ = ["Remembered", "in_agent", "in_file", "worth_remembering"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """A rule to save: `kind` is `tool` or `bash`, as the Agents contract names them."""

    kind: str
    value: str

    @property
    def entry(self) -> str:
        return entry(BASH, self.value) if self.kind == "bash" else entry(self.value)


def worth_remembering(tool: str, arguments: Mapping[str, Any]) -> Remembered:
    """Raises ValueError, with the reason for the person, where a rule would allow too much."""
    if tool in QUESTIONS:
        raise ValueError("a question is to be answered each time")
    if tool != BASH:
        return Remembered("tool", tool)
    command = arguments.get("command")
    if not isinstance(command, str) or IS_CUT in arguments:
        raise ValueError("the command is more than a plain command")
    return Remembered("bash", programs.narrowest_prefix(command))


def in_agent(tx: WriteTx, agent_id: str | None, rule: Remembered) -> bool:
    agents = tx.services.find(Agents)
    if agents is None or agent_id is None:
        return False
    try:
        agents.approve_always(tx, agent_id, rule.kind, rule.value)
    except NotFound:
        return False
    return True


def in_file(files: PermissionFiles, folder: str, rule: Remembered) -> str | None:
    """Save it in the file of a project; why that was not possible, or None."""
    try:
        files.allow(folder, rule.entry)
    except (OSError, ValueError, RecursionError) as error:
        return f"not saved in the permission file of the project: {config_files.reason(error)}"
    return None
