"""The OpenAI Responses API as far as Codex uses it: one streamed answer."""

import json
from typing import Any

from tests.e2e.model_server import Answer, Stream

__all__ = ["OpenAiResponses"]


class OpenAiResponses:
    path = "/v1/responses"

    def __call__(self, answer: Answer, number: int) -> Stream:
        name = f"resp_{number}"
        yield "response.created", {"response": {"id": name}}
        yield "response.output_item.done", {"output_index": 0, "item": _item(answer, number)}
        usage: dict[str, Any] = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
        usage |= {"input_tokens_details": {"cached_tokens": 4}, "output_tokens_details": None}
        yield "response.completed", {"response": {"id": name, "usage": usage}}


def _item(answer: Answer, number: int) -> dict[str, Any]:
    if answer.tool is None:
        content = [{"type": "output_text", "text": answer.text or ""}]
        return {"type": "message", "id": f"msg_{number}", "role": "assistant", "content": content}
    call = {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": answer.tool,
        "arguments": json.dumps(dict(answer.input)),
    }
    if answer.tool.startswith("mcp__"):
        # Tools of an MCP server are in a namespace of their own.
        call["namespace"], _, call["name"] = answer.tool.rpartition("__")
    return call
