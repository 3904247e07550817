"""The application: all addresses behind the gate."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.routing import Router
from starlette.types import ASGIApp

from kombuse_registry.server.gate import Gate
from kombuse_registry.server.registry import Registry
from kombuse_registry.server.routes import accounts, lifecycle, packages, pages, publish, service

__all__ = ["build_app"]


def build_app(registry: Registry) -> ASGIApp:
    """Whoever runs it closes the registry afterwards."""

    @asynccontextmanager
    async def running(app: Any) -> AsyncIterator[None]:
        async with registry.running():
            yield

    router = Router(
        [
            *service.routes,
            *accounts.routes,
            *publish.routes,
            *lifecycle.routes,
            *packages.routes,
            *pages.routes,
        ],
        redirect_slashes=False,
        lifespan=running,
    )
    return Gate(router, registry)
