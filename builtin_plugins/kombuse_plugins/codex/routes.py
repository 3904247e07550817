"""/api/codex/mcp"""

import asyncio
from typing import Any

from kombuse_plugins.codex import mcp_config
from kombuse_sdk.http import App, Router
from kombuse_sdk.mcp_clients import McpStatus, McpSwitch, McpSwitched

router = Router()


@router.get("/codex/mcp", response_model=McpStatus)
async def get_mcp() -> Any:
    return await asyncio.to_thread(mcp_config.status)


@router.put("/codex/mcp", response_model=McpSwitched)
async def put_mcp(app: App, body: McpSwitch) -> Any:
    return await asyncio.to_thread(mcp_config.switch, app, body.enabled)
