"""What is said of an agent that was saved although it cannot run as it is."""

from typing import Any

from kombuse_plugins.agents.schemas import AgentCreate, AgentUpdate
from kombuse_sdk.contracts import Prompts
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx

__all__ = ["warned"]


def warned(tx: ReadTx, saved: JsonText, body: AgentCreate | AgentUpdate) -> Any:
    """The answer, with a `warning` when the system prompt is no template."""
    prompts = tx.services.find(Prompts)
    fault = prompts.fault(body.system_prompt) if prompts and body.system_prompt else None
    return saved if fault is None else saved.load() | {"warning": f"system_prompt, {fault}"}
