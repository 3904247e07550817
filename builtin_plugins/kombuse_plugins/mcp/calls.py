"""One tool call: arguments checked, caller admitted, tool run, answer made."""

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from kombuse_plugins.mcp.callers import admit
from kombuse_plugins.mcp.catalogue import Catalogue, Entry
from kombuse_sdk.errors import Invalid, TooLarge
from kombuse_sdk.failures import describe, issues_of
from kombuse_sdk.mcp import Tool, ToolCall, ToolInput, ToolResult
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.types import Kernel

__all__ = ["MAX_ANSWER", "Answer", "Calls"]

log = logging.getLogger("kombuse.mcp")
MAX_ANSWER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """`structured` is the JSON object that `text` holds, for tools with an output schema."""

    text: str
    structured: dict[str, Any] | None = None
    is_error: bool = False


class Calls:
    def __init__(self, kernel: Kernel, catalogue: Catalogue) -> None:
        self._kernel = kernel
        self._catalogue = catalogue

    async def run(self, name: str, given: Mapping[str, Any]) -> Answer:
        """The answer of the tool; every failure is an answer as well."""
        entry = self._catalogue.find(name)
        if entry is None:
            return Answer(f"MCP error -32602: Tool {name} not found", is_error=True)
        try:
            arguments = entry.tool.input.model_validate(given)
        except ValidationError as error:
            return _bad_arguments(name, error)
        try:
            return await self._run(entry, arguments)
        except Exception as error:
            return _failure(name, error)

    async def _run(self, entry: Entry, arguments: ToolInput) -> Answer:
        """A write's answer is made inside its transaction: one that fails changes nothing."""
        tool, kernel = entry.tool, self._kernel
        call = _call(tool, arguments)
        if inspect.iscoroutinefunction(tool.run):
            with kernel.db.read() as tx:
                caller = admit(tx, call)
            return _answer(entry, await tool.run(kernel, caller, arguments))

        def work(tx: ReadTx) -> Answer:
            return _answer(entry, tool.run(tx, admit(tx, call), arguments))

        return await (kernel.db.write_async(work) if tool.is_write else kernel.db.read_async(work))


def _call(tool: Tool, arguments: ToolInput) -> ToolCall:
    return ToolCall(
        tool=tool.name,
        is_write=tool.is_write,
        session_id=getattr(arguments, "kombuse_session_id", None) or None,
        arguments=arguments.model_dump(exclude_unset=True),
    )


def _answer(entry: Entry, value: Any) -> Answer:
    is_compact = isinstance(value, ToolResult) and value.compact
    data = _plain(value.data if isinstance(value, ToolResult) else value)
    text = to_json(data, indent=None if is_compact else 2, inf_nan_mode="null")
    if len(text) > MAX_ANSWER and not entry.tool.is_write:
        raise TooLarge(
            f"The answer is too large ({len(text)} bytes, at most {MAX_ANSWER}):"
            " ask for less, for instance with a lower limit"
        )
    if entry.output is None:
        return Answer(text.decode())
    if not isinstance(data, dict):
        raise TypeError(f"{entry.tool.name} answers {type(data).__name__} instead of an object")
    return Answer(text.decode(), data)


def _plain(value: Any) -> Any:
    """JSON values alone, whatever a tool put together."""
    match value:
        case JsonText():
            return value.load()
        case BaseModel():
            return value.model_dump(mode="json")
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _ if hasattr(value, "keys"):  # a row of the database
            return dict(value)
        case _:
            return value


def _bad_arguments(name: str, error: ValidationError) -> Answer:
    issues = to_json(issues_of(error)).decode()
    return Answer(
        f"MCP error -32602: Input validation error: Invalid arguments for tool {name}: {issues}",
        is_error=True,
    )


def _failure(name: str, error: Exception) -> Answer:
    status, body = describe(error)
    if isinstance(error, Invalid | ValidationError):
        body = {"error": "Invalid input", "issues": body["error"]}
    elif status == 500:
        log.error("MCP tool %s failed", name)
        body = {"error": "Internal error"}
    return Answer(to_json(body).decode(), is_error=True)
