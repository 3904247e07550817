"""The tools of all plugins, in order, each with its schemas."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kombuse_plugins.mcp.json_schema import input_schema, output_schema
from kombuse_sdk.mcp import Tool

__all__ = ["Catalogue", "Entry"]

log = logging.getLogger("kombuse.mcp")


@dataclass(frozen=True, slots=True)
class Entry:
    """`output` is None where the answer is not an object, which MCP cannot describe."""

    tool: Tool
    input: dict[str, Any]
    output: dict[str, Any] | None


class Catalogue:
    """What is offered by (plugin, tool); the kernel has seen to it that names are unique."""

    def __init__(self, offers: Iterable[tuple[str, Tool]]) -> None:
        self._entries: dict[str, Entry] = {}
        for plugin, tool in sorted(offers, key=lambda offer: offer[1].order):
            try:
                entry = Entry(tool, input_schema(tool.input), output_schema(tool.output))
            except Exception:
                log.exception("MCP tool %s of plugin %s is left out", tool.name, plugin)
                continue
            self._entries[tool.name] = entry

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def find(self, name: str) -> Entry | None:
        return self._entries.get(name)
