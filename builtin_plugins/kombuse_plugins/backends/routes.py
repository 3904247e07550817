"""/api/backend-status and /api/models"""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.backends import service
from kombuse_plugins.backends.schemas import (
    BackendState,
    Catalogue,
    CatalogueFilter,
    StateFilter,
)
from kombuse_sdk.http import App, Router
from kombuse_sdk.types import Kernel


def make_router(kernel: Kernel) -> Router:
    router = Router()
    states = service.States(kernel)

    @router.get("/backend-status", response_model=list[BackendState])
    async def list_states(query: Annotated[StateFilter, Query()]) -> Any:
        return await states.all(query.project_id)

    @router.post("/backend-status/refresh", response_model=list[BackendState])
    async def refresh_states() -> Any:
        return await states.refresh()

    @router.get("/models", response_model=Catalogue | list[Catalogue])
    async def list_models(app: App, query: Annotated[CatalogueFilter, Query()]) -> Any:
        return await service.catalogues(app, query.backend_type)

    return router
