"""/api/projects/{project_id}/permissions and /api/permissions"""

import asyncio
from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.permissions import queries
from kombuse_plugins.permissions.schemas import (
    Answered,
    LogEntry,
    LogFilter,
    PendingFilter,
    PendingPermission,
    PermissionAnswer,
)
from kombuse_sdk.contracts import Permissions, Projects
from kombuse_sdk.contracts.permissions import PermissionReply
from kombuse_sdk.http import App, ProjectId, Read, Router

router = Router()


@router.get("/projects/{project_id}/permissions", response_model=list[LogEntry])
def list_permissions(tx: Read, project_id: ProjectId, query: Annotated[LogFilter, Query()]) -> Any:
    return queries.log(tx, project_id, query)


@router.get("/permissions/pending", response_model=list[PendingPermission])
def list_pending_permissions(tx: Read, query: Annotated[PendingFilter, Query()]) -> Any:
    project_id = query.project_id and tx.services.get(Projects).resolve(tx, query.project_id)
    if query.project_id is not None and project_id is None:
        return []
    return tx.services.get(Permissions).pending(tx, project_id)


@router.post("/permissions/{session_id}/{request_id}", response_model=Answered)
async def answer_permission(
    app: App, session_id: str, request_id: str, body: PermissionAnswer
) -> Any:
    permissions = app.services.get(Permissions)
    reply = PermissionReply(**body.model_dump())
    outcome = await asyncio.to_thread(permissions.answer, session_id, request_id, reply)
    return {
        "session_id": session_id,
        "request_id": request_id,
        "behavior": outcome.behavior,
        "remembered": outcome.remembered,
        "note": outcome.note,
    }
