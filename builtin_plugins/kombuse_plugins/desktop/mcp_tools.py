"""Tools over the windows of the desktop."""

import asyncio
import base64
import json
from collections.abc import Awaitable
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field

from kombuse_plugins.desktop import actions, pictures, schemas
from kombuse_sdk.errors import BadRequest, KombuseError
from kombuse_sdk.mcp import Caller, Image, Tool, ToolInput
from kombuse_sdk.schemas import LooseInt, NonEmpty
from kombuse_sdk.types import Kernel

__all__ = ["TOOLS"]

T = TypeVar("T")
WindowId = Annotated[LooseInt, Field(gt=0)]
Side = Annotated[LooseInt, Field(ge=200, le=10_000)]
Timeout = Annotated[LooseInt, Field(gt=0, le=600_000)]


class SessionInput(ToolInput):
    kombuse_session_id: str | None = Field(None, description="Your session, if you have one")


class OpenInput(SessionInput):
    path: str | None = Field(None, description="A path of this server, such as /projects")
    width: Side | None = None
    height: Side | None = None
    isolated: bool | None = Field(None, description="On a throw-away copy of the data")


class WindowInput(SessionInput):
    window_id: WindowId


class NavigateInput(WindowInput):
    path: NonEmpty
    wait_for_selector: str | None = None
    timeout_ms: Timeout = 5000


class ScriptInput(WindowInput):
    script: NonEmpty
    timeout_ms: Timeout = 30_000


class WaitInput(WindowInput):
    selector: NonEmpty
    timeout_ms: Timeout = 5000


class RectInput(ToolInput):
    x: Annotated[LooseInt, Field(ge=0)]
    y: Annotated[LooseInt, Field(ge=0)]
    width: Annotated[LooseInt, Field(gt=0, le=10_000)]
    height: Annotated[LooseInt, Field(gt=0, le=10_000)]


class ScreenshotInput(WindowInput):
    rect: RectInput | None = Field(None, description="A part of the visible page, in CSS pixels")


class SaveInput(ScreenshotInput):
    file_path: NonEmpty = Field(description="Absolute, in the home directory, ends with .png")


class Saved(BaseModel):
    file_path: str
    size: int


async def list_windows(kernel: Kernel, caller: Caller, given: SessionInput) -> Any:
    return await _or_fail("Failed to list windows", actions.list_windows(kernel, caller))


async def open_window(kernel: Kernel, caller: Caller, given: OpenInput) -> Any:
    wanted = schemas.Open.model_validate(_given(given))
    return await _or_fail("Failed to open window", actions.open_window(kernel, caller, wanted))


async def navigate_to(kernel: Kernel, caller: Caller, given: NavigateInput) -> Any:
    wanted = schemas.Navigate.model_validate(_given(given))
    work = actions.navigate(kernel, caller, str(given.window_id), wanted)
    return await _or_fail("Failed to navigate", work)


async def execute_js(kernel: Kernel, caller: Caller, given: ScriptInput) -> Any:
    wanted = schemas.RunScript.model_validate(_given(given))
    try:
        return await actions.run(kernel, caller, str(given.window_id), wanted)
    except KombuseError as error:
        raise BadRequest(f"execute_js failed ({error.status}): {error.message}") from error


async def wait_for(kernel: Kernel, caller: Caller, given: WaitInput) -> Any:
    wanted = schemas.WaitFor.model_validate(_given(given))
    try:
        return await actions.wait_for(kernel, caller, str(given.window_id), wanted)
    except KombuseError as error:
        raise BadRequest(f"wait_for failed ({error.status}): {error.message}") from error


async def take_screenshot(kernel: Kernel, caller: Caller, given: ScreenshotInput) -> Any:
    wanted = schemas.Screenshot.model_validate(_given(given))
    work = actions.screenshot(kernel, caller, str(given.window_id), wanted)
    taken = await _or_fail("Failed to take screenshot", work)
    return Image(data=taken["data"], mime_type=taken["mimeType"])


async def save_screenshot(kernel: Kernel, caller: Caller, given: SaveInput) -> Any:
    path = await asyncio.to_thread(pictures.target, given.file_path)
    wanted = schemas.Screenshot.model_validate(_given(given))
    work = actions.screenshot(
        kernel,
        caller,
        str(given.window_id),
        wanted,
        action="save_screenshot",
        details={"file_path": str(path)},
    )
    taken = await _or_fail("Failed to capture screenshot", work)
    data = base64.b64decode(taken["data"])
    await asyncio.to_thread(pictures.write, path, data)
    return {"file_path": str(path), "size": len(data)}


async def close_window(kernel: Kernel, caller: Caller, given: WindowInput) -> Any:
    work = actions.close(kernel, caller, str(given.window_id))
    return await _or_fail("Failed to close window", work)


def _given(arguments: ToolInput) -> dict[str, Any]:
    return arguments.model_dump(exclude_none=True)


async def _or_fail(what: str, work: Awaitable[T]) -> T:
    try:
        return await work
    except KombuseError as error:
        raise BadRequest(f"{what}: {json.dumps(error.body())}") from error


TOOLS = (
    Tool(
        name="list_windows",
        title="List windows",
        description="List the open windows of the desktop app.",
        input=SessionInput,
        output=list[schemas.Window],
        run=list_windows,
        order=200,
    ),
    Tool(
        name="open_window",
        title="Open a window",
        description="Open a window of the app; an isolated one works on a copy of the data.",
        input=OpenInput,
        output=schemas.Window,
        run=open_window,
        is_write=True,
        order=210,
    ),
    Tool(
        name="navigate_to",
        title="Navigate a window",
        description="Load another page of the app in a window.",
        input=NavigateInput,
        output=schemas.Navigated,
        run=navigate_to,
        is_write=True,
        order=220,
    ),
    Tool(
        name="execute_js",
        title="Run JavaScript",
        description="Run JavaScript in an isolated window; answers the last statement's value.",
        input=ScriptInput,
        output=schemas.ScriptResult,
        run=execute_js,
        is_write=True,
        is_destructive=True,
        order=230,
    ),
    Tool(
        name="wait_for",
        title="Wait for an element",
        description="Wait until a CSS selector matches an element of a window's page.",
        input=WaitInput,
        output=schemas.Found,
        run=wait_for,
        order=240,
    ),
    Tool(
        name="take_screenshot",
        title="Take a screenshot",
        description="Take a picture of what a window shows.",
        input=ScreenshotInput,
        output=Any,
        run=take_screenshot,
        order=250,
    ),
    Tool(
        name="save_screenshot",
        title="Save a screenshot",
        description="Save a picture of what a window shows as a PNG file.",
        input=SaveInput,
        output=Saved,
        run=save_screenshot,
        is_write=True,
        is_destructive=True,
        order=260,
    ),
    Tool(
        name="close_window",
        title="Close a window",
        description="Close a window; the data copy of an isolated one goes with it.",
        input=WindowInput,
        output=schemas.Closed,
        run=close_window,
        is_write=True,
        is_destructive=True,
        order=270,
    ),
)
