"""The signal `agent.updated`: a list of agents is out of date."""

from functools import partial
from typing import Literal

from kombuse_sdk.contracts import Live
from kombuse_sdk.storage import WriteTx

__all__ = ["updated"]


def updated(
    tx: WriteTx,
    agent_id: str,
    project_id: str | None,
    change: Literal["created", "updated", "deleted"] = "updated",
) -> None:
    """To be told after the commit: to its project, and to those who hear everything."""
    live = tx.services.find(Live)
    if live is None:
        return
    message = {"type": "agent.updated", "agentId": agent_id, "change": change}
    if project_id is not None:
        message["projectId"] = project_id
    topics = ["*"] if project_id is None else [f"project:{project_id}", "*"]
    tx.after_commit(partial(live.publish, topics, message))
