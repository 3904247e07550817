"""Tools over the HTTP API."""

import asyncio
import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from kombuse_plugins.api_tools.addresses import address
from kombuse_plugins.api_tools.in_process import Fetched, fetch
from kombuse_sdk.errors import Unavailable
from kombuse_sdk.mcp import Caller, Tool, ToolInput
from kombuse_sdk.schemas import NonEmpty
from kombuse_sdk.types import Kernel

__all__ = ["TOOLS"]

_SECONDS = 30


def _text(value: Any) -> Any:
    """Numbers and booleans are as good as their text."""
    return json.dumps(value) if isinstance(value, bool | int | float) else value


QueryText = Annotated[str, BeforeValidator(_text)]


class ListEndpointsInput(ToolInput):
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] | None = None


class CallInput(ToolInput):
    path: NonEmpty = Field(description="Below /api/, may hold a query string")
    query: dict[str, QueryText] = Field({}, description="Further query parameters")


class Endpoint(BaseModel):
    method: str
    path: str


class Endpoints(BaseModel):
    endpoints: list[Endpoint]
    total: int


class CallResult(BaseModel):
    status: int
    body: Any


async def list_api_endpoints(
    kernel: Kernel, caller: Caller, arguments: ListEndpointsInput
) -> dict[str, Any]:
    found = [
        {"method": method, "path": path}
        for method, path in kernel.endpoints()
        if arguments.method in (None, method)
    ]
    return {"endpoints": found, "total": len(found)}


async def call_api(kernel: Kernel, caller: Caller, arguments: CallInput) -> dict[str, Any]:
    path, query = address(arguments.path, arguments.query)
    try:
        async with asyncio.timeout(_SECONDS):
            answer = await fetch(kernel, path, query)
    except TimeoutError:
        raise Unavailable(f"No answer within {_SECONDS} seconds") from None
    return {"status": answer.status, "body": _body(answer)}


def _body(answer: Fetched) -> Any:
    """JSON as a value, text as it is, and of anything else only what it is."""
    kind = answer.content_type.split(";")[0].strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return json.loads(answer.body)
    if not answer.body or kind.startswith("text/"):
        return answer.body.decode("utf-8", "replace")
    return {"content_type": answer.content_type, "size": len(answer.body)}


TOOLS = (
    Tool(
        name="list_api_endpoints",
        title="List API endpoints",
        description="List the HTTP API's endpoints; `:name` in a path is a parameter.",
        input=ListEndpointsInput,
        output=Endpoints,
        run=list_api_endpoints,
        order=140,
    ),
    Tool(
        name="call_api",
        title="Read from the API",
        description=(
            "GET an address of the HTTP API and return its status and body, whatever the status."
            " Binary bodies are described by content type and size."
        ),
        input=CallInput,
        output=CallResult,
        run=call_api,
        order=150,
    ),
)
