"""/api/sync/state"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.sync import service
from kombuse_plugins.sync.schemas import SyncQuery, SyncState
from kombuse_sdk.http import Db, Router

__all__ = ["router"]

router = Router()


@router.get("/sync/state", response_model=SyncState)
async def sync_state(db: Db, query: Annotated[SyncQuery, Query()]) -> Any:
    return await db.read_async(lambda tx: service.state(tx, query))
