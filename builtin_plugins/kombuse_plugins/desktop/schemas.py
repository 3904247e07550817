"""Bodies and answers of the windows API, and their bounds."""

from typing import Annotated, Any, Literal

from pydantic import Field

from kombuse_sdk.schemas import Body, Int, Output, Text

__all__ = [
    "Closed",
    "Found",
    "Navigate",
    "Navigated",
    "Open",
    "Rect",
    "RunScript",
    "Screenshot",
    "ScreenshotTaken",
    "ScriptResult",
    "WaitFor",
    "Window",
]

Side = Annotated[Int, Field(ge=200, le=10_000)]
Wait = Annotated[Int, Field(ge=0, le=600_000)]
Deadline = Annotated[Int, Field(ge=1, le=600_000)]
Path = Annotated[Text, Field(max_length=8_000)]
Selector = Annotated[Text, Field(max_length=8_000)]


class Open(Body, defer_build=True):
    path: Path | None = None
    width: Side = 1200
    height: Side = 800
    isolated: Annotated[bool, Field(strict=True)] = False


class Navigate(Body, defer_build=True):
    path: Path = ""
    wait_for_selector: Selector | None = None
    timeout_ms: Wait = 5000


class RunScript(Body, defer_build=True):
    """`world` is where the script runs: apart from the page's own scripts, or among them."""

    script: Text = ""
    timeout_ms: Deadline = 30_000
    world: Literal["isolated", "main"] = "isolated"


class WaitFor(Body, defer_build=True):
    selector: Selector = ""
    timeout_ms: Wait = 5000


class Rect(Body, defer_build=True):
    x: Annotated[Int, Field(ge=0)]
    y: Annotated[Int, Field(ge=0)]
    width: Annotated[Int, Field(gt=0, le=10_000)]
    height: Annotated[Int, Field(gt=0, le=10_000)]


class Screenshot(Body, defer_build=True):
    """Pixels per CSS pixel are `scale`; `full_page` reaches beyond what is visible."""

    rect: Rect | None = None
    scale: Annotated[float, Field(strict=True, ge=0.1, le=4)] = 1.0
    full_page: Annotated[bool, Field(strict=True)] = False


class Window(Output):
    id: int
    title: str
    url: str


class Navigated(Output):
    id: int
    url: str


class ScriptResult(Output):
    result: Any


class Found(Output):
    found: Literal[True] = True
    selector: str


class ScreenshotTaken(Output):
    data: str
    mimeType: Literal["image/png"] = "image/png"  # noqa: N815


class Closed(Output):
    success: Literal[True] = True
