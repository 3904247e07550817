"""One tool call: arguments checked, caller admitted, tool run, answer made."""

import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from kombuse_plugins.mcp import denials
from kombuse_plugins.mcp.callers import Denied, acting, admit
from kombuse_plugins.mcp.catalogue import Catalogue, Entry
from kombuse_sdk.errors import Invalid, TooLarge
from kombuse_sdk.failures import describe, issues_of
from kombuse_sdk.mcp import Image, Tool, ToolCall, ToolInput, ToolResult
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.types import Kernel
from kombuse_sdk.visible import visible_json

__all__ = ["MAX_ANSWER", "Answer", "Calls"]

log = logging.getLogger("kombuse.mcp")
MAX_ANSWER = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """`structured` is the JSON object that `text` holds, for tools with an output schema.

    An `image` stands in the place of the text.
    """

    text: str
    structured: dict[str, Any] | None = None
    is_error: bool = False
    image: Image | None = None


class Calls:
    def __init__(self, kernel: Kernel, catalogue: Catalogue) -> None:
        self._kernel = kernel
        self._catalogue = catalogue

    async def run(
        self, name: str, given: Mapping[str, Any], session_id: str | None = None
    ) -> Answer:
        """The answer of the tool; every failure is an answer as well.

        `session_id` is the session whose own token was presented: no other one may be named.
        """
        entry = self._catalogue.find(name)
        if entry is None:
            return Answer(f"MCP error -32602: Tool {name} not found", is_error=True)
        try:
            arguments = entry.tool.input.model_validate(given)
        except ValidationError as error:
            return _bad_arguments(name, error)
        call = _call(entry.tool, arguments, session_id)
        try:
            return await self._run(entry, arguments, call)
        except Denied as denied:
            await self._kernel.db.write_async(partial(denials.record, call=call, denied=denied))
            return _failure(name, denied)
        except Exception as error:
            return _failure(name, error)

    async def _run(self, entry: Entry, arguments: ToolInput, call: ToolCall) -> Answer:
        """A write's answer is made inside its transaction: one that fails changes nothing."""
        tool, kernel = entry.tool, self._kernel
        if inspect.iscoroutinefunction(tool.run):
            with kernel.db.read() as tx:
                caller = admit(tx, call)
            with acting(caller):
                return _answer(entry, await tool.run(kernel, caller, arguments))

        def work(tx: ReadTx) -> Answer:
            with acting(admit(tx, call)) as caller:
                return _answer(entry, tool.run(tx, caller, arguments))

        return await (kernel.db.write_async(work) if tool.is_write else kernel.db.read_async(work))


def _call(tool: Tool, arguments: ToolInput, session_id: str | None) -> ToolCall:
    named = getattr(arguments, "kombuse_session_id", None) or None
    return ToolCall(
        tool=tool.name,
        is_write=tool.is_write,
        session_id=named or session_id,
        bound_to=session_id,
        arguments=arguments.model_dump(exclude_unset=True),
    )


def _answer(entry: Entry, value: Any) -> Answer:
    if isinstance(value, Image):
        return Answer("", image=value)
    is_compact = isinstance(value, ToolResult) and value.compact
    data = _plain(value.data if isinstance(value, ToolResult) else value)
    raw = to_json(data, indent=None if is_compact else 2, inf_nan_mode="null")
    text = visible_json(raw.decode()).encode()
    if len(text) > MAX_ANSWER and not entry.tool.is_write:
        raise TooLarge(
            f"The answer is too large ({len(text)} bytes, at most {MAX_ANSWER}):"
            " ask for less, for instance with a lower limit"
        )
    if entry.output is None:
        return Answer(text.decode())
    if not isinstance(data, dict):
        raise TypeError(f"{entry.tool.name} answers {type(data).__name__} instead of an object")
    return Answer(text.decode(), data if text == raw else from_json(text))


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
