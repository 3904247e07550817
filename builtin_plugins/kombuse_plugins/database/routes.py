"""/api/database"""

from typing import Any

from kombuse_plugins.database.schemas import QueryBody, QueryRows, Tables
from kombuse_plugins.database.service import Queries
from kombuse_sdk.http import App, Router

router = Router("/database")


@router.get("/tables", response_model=Tables)
async def list_tables(kernel: App) -> Any:
    return {"tables": await kernel.services.get(Queries).tables()}


@router.post("/query", response_model=QueryRows)
async def run_query(kernel: App, body: QueryBody) -> Any:
    return await kernel.services.get(Queries).query(body.sql, body.params, body.limit)
