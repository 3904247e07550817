"""/api/updates and /api/shell-updates: the same routes for both."""

from typing import Annotated, Any

from fastapi import Query

from kombuse_plugins.updates.schemas import (
    Check,
    CheckResult,
    Dismissal,
    Done,
    Install,
    RolledBack,
    Status,
    Version,
)
from kombuse_plugins.updates.service import Updates
from kombuse_sdk.http import App, Router
from kombuse_sdk.updates import Kind

__all__ = ["router"]

router = Router()


def _offer(prefix: str, kind: Kind) -> None:
    @router.get(f"{prefix}/status", response_model=Status)
    async def status(kernel: App) -> Any:
        return kernel.services.get(Updates).status(kind)

    @router.post(f"{prefix}/check", response_model=CheckResult)
    async def check(kernel: App, body: Check | None = None) -> Any:
        is_forced = body is not None and body.force is True
        return await kernel.services.get(Updates).check(kind, is_forced=is_forced)

    @router.post(f"{prefix}/install", response_model=Done)
    async def install(kernel: App, query: Annotated[Install, Query()]) -> Any:
        return await kernel.services.get(Updates).install(kind, is_awaited=query.wait)

    @router.post(f"{prefix}/rollback", response_model=RolledBack)
    async def rollback(kernel: App) -> Any:
        return await kernel.services.get(Updates).rollback(kind)

    @router.get(f"{prefix}/versions", response_model=list[Version])
    async def versions(kernel: App) -> Any:
        return await kernel.services.get(Updates).versions(kind)

    @router.post(f"{prefix}/dismiss", status_code=204)
    async def dismiss(kernel: App, body: Dismissal) -> None:
        await kernel.services.get(Updates).dismiss(kind, body.version)


_offer("/updates", "app")
_offer("/shell-updates", "shell")
