"""/api/database"""

import asyncio
from typing import Any

from kombuse_plugins.database.backups import Backups
from kombuse_plugins.database.schemas import Backup, BackupStatus, QueryBody, QueryRows, Tables
from kombuse_plugins.database.service import Queries
from kombuse_sdk.http import App, Router

router = Router("/database")


@router.get("/tables", response_model=Tables)
async def list_tables(kernel: App) -> Any:
    return {"tables": await kernel.services.get(Queries).tables()}


@router.post("/query", response_model=QueryRows)
async def run_query(kernel: App, body: QueryBody) -> Any:
    return await kernel.services.get(Queries).query(body.sql, body.params, body.limit)


@router.get("/backups", response_model=BackupStatus)
async def list_backups(kernel: App) -> Any:
    return await asyncio.to_thread(kernel.services.get(Backups).status)


@router.post("/backups", status_code=201, response_model=Backup)
async def make_backup(kernel: App) -> Any:
    return await asyncio.to_thread(kernel.services.get(Backups).make)
