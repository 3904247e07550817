"""Who calls a tool, and whether they may."""

from kombuse_sdk.contracts import Settings
from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT
from kombuse_sdk.errors import Forbidden
from kombuse_sdk.mcp import Caller, ToolCall, ToolDecision
from kombuse_sdk.storage import ReadTx

__all__ = ["admit"]

_WRITE_ACCESS = "mcp.anonymous_write_access"
_CLOSED = (
    "Anonymous MCP write access is disabled."
    " Provide a kombuse_session_id with valid agent credentials."
)


def admit(tx: ReadTx, call: ToolCall) -> Caller:
    """The caller, by the first plugin that knows it, else the anonymous one; Forbidden if denied.

    To be called in the transaction of the call itself, so that no change comes in between.
    """
    decision: ToolDecision = tx.kernel.first("kombuse_tool_decision", tx=tx, call=call) or (
        _anonymous(tx, call)
    )
    if decision.behaviour != "allow":
        raise Forbidden(f"Permission denied: {decision.reason or 'not allowed'}")
    return decision.caller


def _anonymous(tx: ReadTx, call: ToolCall) -> ToolDecision:
    caller = Caller(
        profile_id=ANONYMOUS_AGENT,
        actor_type="agent",
        is_anonymous=True,
        session_id=call.session_id,
    )
    if call.is_write and not _may_write(tx):
        return ToolDecision(behaviour="deny", caller=caller, reason=_CLOSED)
    return ToolDecision(behaviour="allow", caller=caller)


def _may_write(tx: ReadTx) -> bool:
    settings = tx.services.find(Settings)
    return settings is not None and settings.value(tx, _WRITE_ACCESS) == "allowed"
