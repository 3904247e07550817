"""The Anthropic Messages API as far as Claude Code uses it: one streamed answer."""

import json
from typing import Any

from tests.e2e.model_server import Answer, Stream

__all__ = ["AnthropicMessages"]


class AnthropicMessages:
    path = "/v1/messages"

    def __call__(self, answer: Answer, number: int) -> Stream:
        usage = {"input_tokens": 10, "output_tokens": 1}
        message: dict[str, Any] = {"id": f"msg_{number}", "type": "message", "role": "assistant"}
        message |= {"model": "scripted", "content": [], "stop_reason": None, "usage": usage}
        yield "message_start", {"message": message}
        block, delta, reason = _content(answer, number)
        yield "content_block_start", {"index": 0, "content_block": block}
        yield "content_block_delta", {"index": 0, "delta": delta}
        yield "content_block_stop", {"index": 0}
        yield "message_delta", {"delta": {"stop_reason": reason}, "usage": {"output_tokens": 5}}
        yield "message_stop", {}


def _content(answer: Answer, number: int) -> tuple[dict[str, Any], dict[str, Any], str]:
    if answer.tool is None:
        text = answer.text or ""
        return {"type": "text", "text": ""}, {"type": "text_delta", "text": text}, "end_turn"
    block = {"type": "tool_use", "id": f"toolu_{number}", "name": answer.tool, "input": {}}
    given = json.dumps(dict(answer.input))
    return block, {"type": "input_json_delta", "partial_json": given}, "tool_use"
