"""/api/claude-code"""

import asyncio
import re
from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.claude_code import mcp_config, service
from kombuse_plugins.claude_code.schemas import (
    FoundProject,
    FoundSessions,
    Import,
    ImportedProject,
    SessionContent,
    SessionQuery,
    SessionsQuery,
)
from kombuse_plugins.claude_code.session_files import SessionFiles
from kombuse_sdk.errors import BadRequest
from kombuse_sdk.http import App, PathParam, Router
from kombuse_sdk.mcp_clients import McpStatus, McpSwitch, McpSwitched
from kombuse_sdk.storage import ReadTx

router = Router()
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.ASCII)


def _session_id(tx: ReadTx, text: str) -> str:
    if not _UUID.fullmatch(text):
        raise BadRequest("Invalid session ID format")
    return text


SessionId = Annotated[str, PathParam(_session_id)]


@router.get("/claude-code/mcp", response_model=McpStatus)
async def get_mcp() -> Any:
    return await asyncio.to_thread(mcp_config.status)


@router.put("/claude-code/mcp", response_model=McpSwitched)
async def put_mcp(app: App, body: McpSwitch) -> Any:
    return await asyncio.to_thread(mcp_config.switch, app, body.enabled)


@router.get("/claude-code/projects", response_model=list[FoundProject])
async def list_projects(app: App) -> Any:
    return await service.found_projects(app)


@router.post("/claude-code/projects/import", status_code=201, response_model=list[ImportedProject])
async def import_projects(app: App, body: Import) -> Any:
    return await service.import_projects(app, body.paths)


@router.get("/claude-code/sessions", response_model=FoundSessions)
async def list_sessions(app: App, query: Annotated[SessionsQuery, Query()]) -> Any:
    files = app.services.get(SessionFiles)
    return await files.read(lambda: files.sessions(query.path))


@router.get("/claude-code/sessions/{session_id}", response_model=SessionContent)
async def get_session(
    app: App, session_id: SessionId, query: Annotated[SessionQuery, Query()]
) -> Any:
    files = app.services.get(SessionFiles)
    return await files.read(
        lambda: files.session(query.path, session_id, query.offset, query.limit)
    )
