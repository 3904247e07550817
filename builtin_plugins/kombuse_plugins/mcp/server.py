"""The official SDK's server over the catalogue. Importing this takes half a second and 25 MB."""

import logging
from typing import Any

import importlib_metadata
import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from kombuse_plugins.mcp.calls import Answer, Calls
from kombuse_plugins.mcp.catalogue import Catalogue, Entry
from kombuse_sdk.mcp import Tool
from kombuse_sdk.types import Kernel

__all__ = ["McpServer"]


class McpServer:
    """One server object, and for each request a manager of its own.

    A manager can be run once, in one event loop, by the task that ends it. Stateless requests share
    nothing, so none has to live as long as the application does; it costs 0.06 ms.
    """

    def __init__(self, kernel: Kernel) -> None:
        logging.getLogger("mcp").setLevel(logging.WARNING)  # it reports each request as information
        catalogue = Catalogue(kernel.offers("kombuse_mcp_tools"))
        calls = Calls(kernel, catalogue)
        listing = types.ListToolsResult(tools=[_described(entry) for entry in catalogue])

        async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
            return listing

        async def call_tool(
            context: Any, params: types.CallToolRequestParams
        ) -> types.CallToolResult:
            session_id = context.request.scope.get("kombuse_session")
            answer = await calls.run(params.name, params.arguments or {}, session_id)
            return types.CallToolResult(
                content=[_content(answer)],
                structured_content=answer.structured,
                is_error=answer.is_error,
            )

        def schema_of(name: str) -> dict[str, Any] | None:
            entry = catalogue.find(name)
            return None if entry is None else entry.input

        self._server = Server(
            "kombuse",
            version=importlib_metadata.version("kombuse"),
            on_list_tools=list_tools,
            on_call_tool=call_tool,
            get_tool_input_schema=schema_of,
        )
        self._server.middleware.clear()  # spans for a tracing system that nobody configures
        # The kernel has checked Host and Origin already, by its own rules.
        self._security = TransportSecuritySettings(enable_dns_rebinding_protection=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        manager = StreamableHTTPSessionManager(
            self._server, json_response=True, stateless=True, security_settings=self._security
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)


def _content(answer: Answer) -> types.TextContent | types.ImageContent:
    if answer.image is None:
        return types.TextContent(type="text", text=answer.text)
    image = answer.image
    return types.ImageContent(type="image", data=image.data, mime_type=image.mime_type)


def _described(entry: Entry) -> types.Tool:
    tool: Tool = entry.tool
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=entry.input,
        output_schema=entry.output,
        annotations=types.ToolAnnotations(
            read_only_hint=not tool.is_write,
            destructive_hint=tool.is_destructive,
            idempotent_hint=tool.is_idempotent or not tool.is_write,
            open_world_hint=False,
        ),
    )
