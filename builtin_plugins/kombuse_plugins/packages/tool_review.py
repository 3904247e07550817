"""MCP tools of packages as agents see them: what a person accepted must be what is offered.

A tool's description is an instruction to the agents that read it. Code that was allowed could offer
one text today and another tomorrow, without a byte of it changing (CVE-2025-54136).
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from kombuse_sdk.mcp import Tool

__all__ = ["differences", "shown"]


def shown(tools: Iterable[Tool]) -> str:
    """JSON text of all that agents are told of the tools, by name."""
    seen = {
        tool.name: {
            "title": tool.title,
            "description": tool.description,
            "is_write": tool.is_write,
            "is_destructive": tool.is_destructive,
            "input": tool.input.model_json_schema(),
        }
        for tool in tools
    }
    return json.dumps(seen, sort_keys=True, ensure_ascii=False)


def differences(accepted: str | None, offered: str | None) -> list[dict[str, Any]]:
    """{tool, before, after} of every tool that is another now; None for one that is not there."""
    return list(_differences(json.loads(accepted or "{}"), json.loads(offered or "{}")))


def _differences(accepted: dict[str, Any], offered: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in sorted(accepted.keys() | offered.keys()):
        before, after = accepted.get(name), offered.get(name)
        if before != after:
            yield {"tool": name, "before": before, "after": after}
