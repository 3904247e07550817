"""Agents as callers of tools: who a session id stands for, and what it may do."""

from kombuse_plugins.agents import service, tool_permissions
from kombuse_plugins.agents.permissions import Run
from kombuse_sdk.contracts import Invocations, Sessions
from kombuse_sdk.contracts.agents import Agent
from kombuse_sdk.contracts.invocations import Invocation
from kombuse_sdk.mcp import Caller, ToolCall, ToolDecision
from kombuse_sdk.storage import ReadTx

__all__ = ["decide"]


def decide(tx: ReadTx, call: ToolCall) -> ToolDecision | None:
    """None for whoever is no agent at work; reading is free for all."""
    found = _at_work(tx, call.session_id)
    if found is None:
        return None
    agent, invocation = found
    kind = agent.config.get("type")
    caller = Caller(
        profile_id=agent.id,
        actor_type="agent",
        is_anonymous=False,
        session_id=call.session_id,
        agent_type=kind if isinstance(kind, str) else None,
    )
    run = Run(project_id=invocation.project_id, ticket_id=invocation.ticket_id)
    reason = tool_permissions.refusal(tx, agent, run, call) if call.is_write else None
    return ToolDecision(behaviour="deny" if reason else "allow", caller=caller, reason=reason)


def _at_work(tx: ReadTx, session_id: str | None) -> tuple[Agent, Invocation] | None:
    """Session ids are no secret, so one counts only while an enabled agent runs in the session."""
    sessions, invocations = tx.services.find(Sessions), tx.services.find(Invocations)
    if session_id is None or sessions is None or invocations is None:
        return None
    invocation = invocations.newest_of_session(tx, session_id)
    if invocation is None or invocation.status != "running":
        return None
    agent = service.get(tx, invocation.agent_id)
    if agent is None or not agent.is_enabled or not sessions.is_running(tx, session_id):
        return None
    return agent, invocation
