"""Who calls a tool, and whether they may."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from kombuse_sdk.contracts import Settings
from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT
from kombuse_sdk.errors import Forbidden
from kombuse_sdk.mcp import Caller, ToolCall, ToolDecision
from kombuse_sdk.storage import ReadTx

__all__ = ["Denied", "acting", "admit"]

_WRITE_ACCESS = "mcp.anonymous_write_access"
_CLOSED = (
    "Anonymous MCP write access is disabled."
    " Provide a kombuse_session_id with valid agent credentials."
)
_FOREIGN = "the token is that of another session"


class Denied(Forbidden):
    """A call that was refused, and whose it was."""

    def __init__(self, reason: str, caller: Caller) -> None:
        super().__init__(reason)
        self.caller = caller


@contextmanager
def acting(caller: Caller) -> Iterator[Caller]:
    """What a tool itself forbids is denied to its caller as well."""
    try:
        yield caller
    except Forbidden as error:
        raise Denied(error.message, caller) from None


def admit(tx: ReadTx, call: ToolCall) -> Caller:
    """The caller, by the first plugin that knows it, else the anonymous one. Raises Denied.

    To be called in the transaction of the call itself, so that no change comes in between.
    """
    is_own = call.bound_to in (None, call.session_id)
    true = call if is_own else replace(call, session_id=call.bound_to)
    decision: ToolDecision = tx.kernel.first("kombuse_tool_decision", tx=tx, call=true) or (
        _anonymous(tx, true)
    )
    if not is_own:
        raise Denied(f"Permission denied: {_FOREIGN}", decision.caller)
    if decision.behaviour != "allow":
        raise Denied(f"Permission denied: {decision.reason or 'not allowed'}", decision.caller)
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
