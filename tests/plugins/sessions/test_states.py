"""The state machine: every state with every change."""

import pytest

from kombuse_plugins.sessions.states import failed, next_status
from kombuse_sdk.errors import Conflict

TABLE = {
    ("pending", "start"): "running",
    ("pending", "abort"): "aborted",
    ("running", "complete"): "completed",
    ("running", "fail"): "failed",
    ("running", "abort"): "aborted",
    ("running", "continue"): "running",
    ("completed", "stop"): "stopped",
    ("completed", "continue"): "running",
    ("failed", "continue"): "running",
    ("aborted", "continue"): "running",
    ("stopped", "continue"): "running",
}
STATES = ("pending", "running", "completed", "failed", "aborted", "stopped")
CHANGES = ("start", "complete", "fail", "abort", "stop", "continue")


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize("change", CHANGES)
def test_each_change_leads_where_the_table_says_or_is_refused(status: str, change: str) -> None:
    expected = TABLE.get((status, change))
    if expected is not None:
        assert next_status(status, change) == expected  # type: ignore[arg-type]
        return

    message = f"Invalid transition: cannot apply '{change}' to session in '{status}' state"
    with pytest.raises(Conflict, match=message):
        next_status(status, change)  # type: ignore[arg-type]


def test_a_cause_that_the_api_does_not_know_is_an_agent_error() -> None:
    assert failed("it broke", "rate_limit").reason == "agent_error"
    assert failed("it stopped and exited", "agent_error").reason == "agent_error"
    assert failed("gone", "process_exit").reason == "process_exit"
