"""The eight tools over windows, as an MCP client calls them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.desktop_app import DesktopApp, png_size

NAMES = [
    "list_windows",
    "open_window",
    "navigate_to",
    "execute_js",
    "wait_for",
    "take_screenshot",
    "save_screenshot",
    "close_window",
]


@pytest.fixture
def app(app: DesktopApp) -> DesktopApp:
    app.allow_anonymous_writes()
    return app


def test_the_tools_stand_in_their_order_after_those_of_the_tracker(app: DesktopApp) -> None:
    names = app.tools()

    assert [name for name in names if name in NAMES] == NAMES
    assert names.index("list_windows") > names.index("call_api")


def test_a_window_from_opening_to_closing(app: DesktopApp) -> None:
    opened = app.tool("open_window", path="/health", isolated=True)
    window = opened.data
    assert opened.structured == window
    assert app.tool("list_windows").data == [window]
    window_id = window["id"]

    assert app.tool("execute_js", window_id=window_id, script="1 + 1").data == {"result": 2}
    found = app.tool("wait_for", window_id=str(window_id), selector="body")
    assert found.data == {"found": True, "selector": "body"}
    moved = app.tool("navigate_to", window_id=window_id, path="/nowhere").data
    assert moved["id"] == window_id
    assert "/nowhere?port=" in moved["url"]
    assert app.tool("close_window", window_id=window_id).data == {"success": True}
    assert app.tool("list_windows").data == []


def test_a_screenshot_is_an_image(app: DesktopApp, window: Any) -> None:
    rect = {"x": 0, "y": 0, "width": 300, "height": 200}
    result = app.tool_result("take_screenshot", window_id=window["id"], rect=rect)

    (block,) = result["content"]
    assert (block["type"], block["mimeType"]) == ("image", "image/png")
    assert png_size(block["data"]) == (300, 200)


def test_a_screenshot_is_saved_in_the_home_directory(app: DesktopApp, window: Any) -> None:
    path = app.server.home / "pictures" / ".." / "pictures" / "of" / "page.png"
    answer = app.tool("save_screenshot", window_id=window["id"], file_path=str(path))

    saved = app.server.home / "pictures" / "of" / "page.png"
    data = saved.read_bytes()
    assert answer.data == {"file_path": str(saved), "size": len(data)}
    assert png_size(data) == (1200, 800)


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("navigate_to", {"path": "/"}, 'Failed to navigate: {"error": "Window not found"}'),
        ("execute_js", {"script": "1"}, "execute_js failed (404): Window not found"),
        ("wait_for", {"selector": "a"}, "wait_for failed (404): Window not found"),
        ("take_screenshot", {}, 'Failed to take screenshot: {"error": "Window not found"}'),
        ("close_window", {}, 'Failed to close window: {"error": "Window not found"}'),
    ],
)
def test_failures_say_what_failed(
    app: DesktopApp, name: str, arguments: dict[str, Any], text: str
) -> None:
    answer = app.tool(name, window_id=999_999, **arguments)

    assert answer.is_error
    assert json.loads(answer.text) == {"error": text}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("open_window", {"width": 100}),
        ("navigate_to", {"window_id": 0, "path": "/"}),
        ("navigate_to", {"window_id": 1, "path": ""}),
        ("execute_js", {"window_id": 1, "script": ""}),
        ("wait_for", {"window_id": 1, "selector": "a", "timeout_ms": 0}),
        ("take_screenshot", {"window_id": 1, "rect": {"x": 0, "y": 0, "width": 0, "height": 1}}),
        ("close_window", {}),
    ],
)
def test_arguments_out_of_bounds_are_refused(
    app: DesktopApp, name: str, arguments: dict[str, Any]
) -> None:
    answer = app.tool(name, **arguments)

    assert answer.is_error
    assert f"Invalid arguments for tool {name}" in answer.text


def test_a_folder_that_cannot_be_written_is_named_as_such(app: DesktopApp, window: Any) -> None:
    (app.server.home / "file").write_text("", encoding="utf-8")
    path = Path(app.server.home, "file", "page.png")
    answer = app.tool("save_screenshot", window_id=window["id"], file_path=str(path))

    assert answer.is_error
    assert answer.data["error"].startswith("Failed to write file: ")
