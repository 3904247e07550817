"""Whether a request is approved without asking: presets, overrides, files and permissions.

What counts is the agent's preset with the overrides of its configuration, and what the permission
files allow, without what they deny. Beside it a permission of the type `tool` whose pattern fits
approves its tool, unless a file denies the tool by name. Whatever the rules say, it is asked before
a tool writes where rules are kept, and nothing is approved for an agent that is gone or disabled.
"""

from kombuse_plugins.permissions.rule_files import FileRules, PermissionFiles, project_file
from kombuse_plugins.permissions.rules import QUESTIONS, Rules, changes_rules
from kombuse_sdk.agents import PermissionRequest
from kombuse_sdk.contracts import Agents, Projects
from kombuse_sdk.contracts.agents import Agent, Preset
from kombuse_sdk.contracts.sessions import SessionRef
from kombuse_sdk.errors import NotFound
from kombuse_sdk.storage import ReadTx

__all__ = ["folder_of", "is_approved"]

GLOBAL_FILE = "permissions.json"


def is_approved(
    tx: ReadTx, files: PermissionFiles, session: SessionRef, request: PermissionRequest
) -> bool:
    home, folder = tx.kernel.config.home, folder_of(tx, session.project_id)
    tool, arguments = request.tool_name, request.input
    if changes_rules(tool, arguments, home, folder):
        return False
    agents = tx.services.find(Agents)
    agent: Agent | None = None
    rules = Rules()
    if agents is not None and session.agent_id is not None:
        agent = agents.get(tx, session.agent_id)
        if agent is None or not agent.is_enabled:
            return False
        rules = _of(agent.preset)
    elif agents is not None:
        rules = _of(agents.default_preset())
    shared = files.read(home / GLOBAL_FILE)
    own = files.read(project_file(folder)) if folder else FileRules()
    denied = shared.deny | own.deny
    if ((rules | shared.allow | own.allow) - denied).approve(tool, arguments):
        return True
    if agents is None or agent is None or tool in QUESTIONS or tool in denied.tools:
        return False
    return agents.allows_tool(agent, tool, session.project_id)


def folder_of(tx: ReadTx, project_id: str | None) -> str | None:
    try:
        return tx.services.get(Projects).local_path(tx, project_id) if project_id else None
    except NotFound:
        return None


def _of(preset: Preset) -> Rules:
    return Rules(
        frozenset(preset.auto_approved_tools), frozenset(preset.auto_approved_bash_commands)
    )
