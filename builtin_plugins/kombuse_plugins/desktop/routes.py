"""/api/desktop/windows"""

from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute

from kombuse_plugins.desktop import actions
from kombuse_plugins.desktop.schemas import (
    Closed,
    Found,
    Navigate,
    Navigated,
    Open,
    RunScript,
    Screenshot,
    ScreenshotTaken,
    ScriptResult,
    WaitFor,
    Window,
)
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.errors import NotFound
from kombuse_sdk.http import App, Router
from kombuse_sdk.mcp import Caller

__all__ = ["absent", "router"]

router = Router()
_CALLER = Caller(profile_id=LOCAL_USER, actor_type="user", is_anonymous=False)


@router.get("/desktop/windows", response_model=list[Window])
async def list_windows(kernel: App) -> Any:
    return await actions.list_windows(kernel, _CALLER)


@router.post("/desktop/windows", response_model=Window)
async def open_window(kernel: App, body: Open) -> Any:
    return await actions.open_window(kernel, _CALLER, body)


@router.post("/desktop/windows/{window_id}/navigate", response_model=Navigated)
async def navigate(kernel: App, window_id: str, body: Navigate) -> Any:
    return await actions.navigate(kernel, _CALLER, window_id, body)


@router.post("/desktop/windows/{window_id}/execute-js", response_model=ScriptResult)
async def execute_js(kernel: App, window_id: str, body: RunScript) -> Any:
    return await actions.run(kernel, _CALLER, window_id, body)


@router.post("/desktop/windows/{window_id}/wait-for", response_model=Found)
async def wait_for(kernel: App, window_id: str, body: WaitFor) -> Any:
    return await actions.wait_for(kernel, _CALLER, window_id, body)


@router.post("/desktop/windows/{window_id}/screenshot", response_model=ScreenshotTaken)
async def screenshot(kernel: App, window_id: str, body: Screenshot) -> Any:
    return await actions.screenshot(kernel, _CALLER, window_id, body)


@router.delete("/desktop/windows/{window_id}", response_model=Closed)
async def close_window(kernel: App, window_id: str) -> Any:
    return await actions.close(kernel, _CALLER, window_id)


def absent() -> Router:
    """The same addresses for a server without windows: documented, and not found."""
    made = Router()
    for route in router.routes:
        assert isinstance(route, APIRoute)
        made.add_api_route(
            route.path,
            _no_window if "{" in route.path else _no_windows,
            methods=sorted(route.methods or ()),
            response_model=route.response_model,
            name=route.name,
            description="Only of a server that `kombuse desktop` has started.",
        )
    return made


async def _no_windows(request: Request) -> None:
    raise NotFound(f"Route {request.method}:{request.url.path} not found")


async def _no_window(request: Request, window_id: str) -> None:
    await _no_windows(request)
