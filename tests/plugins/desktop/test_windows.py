"""Windows over REST, with a real browser: open, list, navigate, wait, picture, close."""

import re
from typing import Any

import pytest
from tests.desktop_app import DesktopApp, png_size


def test_a_window_is_opened_listed_and_closed(app: DesktopApp) -> None:
    window = app.open(path="/health?tab=1")

    port = app.server.port
    assert window["url"] == f"http://127.0.0.1:{port}/health?tab=1&port={port}"
    assert app.windows() == [window]
    app.close(window)
    assert app.windows() == []
    answer = app.ask("DELETE", f"/{window['id']}")
    assert (answer.status_code, answer.json()) == (404, {"error": "Window not found"})


def test_without_a_body_the_start_page_is_opened(app: DesktopApp) -> None:
    answer = app.server.http.post("/api/desktop/windows")

    assert answer.status_code == 200
    assert re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?port=\1", answer.json()["url"])


def test_ids_rise_and_are_never_used_again(app: DesktopApp) -> None:
    first = app.open(path="/health")
    app.close(first)
    second = app.open(path="/health")

    assert 0 < first["id"] < second["id"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"width": 199}, ["width"]),
        ({"height": 10_001}, ["height"]),
        ({"width": "wide"}, ["width"]),
        ({"isolated": "no"}, ["isolated"]),
        ({"path": 1}, ["path"]),
    ],
)
def test_a_window_with_impossible_values_is_refused(
    app: DesktopApp, body: Any, path: list[str]
) -> None:
    answer = app.ask("POST", "", body)

    assert answer.status_code == 400
    assert [issue["path"] for issue in answer.json()["error"]] == [path]
    assert app.windows() == []


@pytest.mark.parametrize("window_id", ["0", "-1", "999999", "abc", "1.0", "9" * 40, "%31x"])
@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("/navigate", {"path": "/"}),
        ("/execute-js", {"script": "1"}),
        ("/wait-for", {"selector": "body"}),
        ("/screenshot", {}),
    ],
)
def test_an_unknown_window_is_not_found(
    app: DesktopApp, window_id: str, action: str, body: Any
) -> None:
    answer = app.ask("POST", f"/{window_id}{action}", body)

    assert (answer.status_code, answer.json()) == (404, {"error": "Window not found"})


@pytest.mark.parametrize(
    ("action", "name"), [("navigate", "path"), ("execute-js", "script"), ("wait-for", "selector")]
)
@pytest.mark.parametrize("body", [{}, {"path": "", "script": "", "selector": ""}])
def test_what_is_required_is_asked_for_before_the_window(
    app: DesktopApp, action: str, name: str, body: Any
) -> None:
    answer = app.ask("POST", f"/999999/{action}", body)

    assert (answer.status_code, answer.json()) == (400, {"error": f"{name} is required"})


def test_navigation_keeps_the_port_and_waits_for_the_page(app: DesktopApp, window: Any) -> None:
    port = app.server.port
    answer = app.ask("POST", f"/{window['id']}/navigate", {"path": "nowhere#part"})

    url = f"http://127.0.0.1:{port}/nowhere?port={port}#part"
    assert answer.json() == {"id": window["id"], "url": url}
    assert [found["url"] for found in app.windows()] == [url]
    again = app.ask("POST", f"/{window['id']}/navigate", {"path": url.replace("part", "other")})
    assert again.json()["url"].endswith("#other")


def test_a_navigation_that_waits_in_vain_says_so(app: DesktopApp, window: Any) -> None:
    body = {"path": "/health", "wait_for_selector": "#never", "timeout_ms": 50}
    answer = app.ask("POST", f"/{window['id']}/navigate", body)

    assert answer.status_code == 408
    assert answer.json() == {"error": "wait_for_selector timed out after 50ms"}


def test_a_selector_is_waited_for(app: DesktopApp, window: Any) -> None:
    path = f"/{window['id']}/wait-for"
    assert app.ask("POST", path, {"selector": "body"}).json() == {
        "found": True,
        "selector": "body",
    }

    late = app.ask("POST", path, {"selector": "#never", "timeout_ms": 50})
    assert late.status_code == 408
    assert late.json() == {"error": "wait_for failed: wait_for_selector timed out after 50ms"}
    wrong = app.ask("POST", path, {"selector": "<<"})
    assert wrong.status_code == 400
    assert wrong.json() == {"error": "wait_for failed: '<<' is not a valid selector"}


def test_what_appears_later_is_found_when_it_does(app: DesktopApp) -> None:
    window = app.open(path="/health", isolated=True)
    app.value(
        window,
        "setTimeout(() => { document.body.innerHTML = '<i id=late></i>'; }, 150); null",
    )

    answer = app.ask("POST", f"/{window['id']}/wait-for", {"selector": "#late"})
    assert answer.json() == {"found": True, "selector": "#late"}


def test_a_page_that_is_loaded_meanwhile_is_waited_in_as_well(app: DesktopApp) -> None:
    window = app.open(path="/health", isolated=True)
    app.value(window, "setTimeout(() => { location.href = '/nowhere#x'; }, 100); null")
    script = "document.body.innerHTML = '<i id=late></i>'; location.hash"

    path = f"/{window['id']}/wait-for"
    assert app.ask("POST", path, {"selector": "#late", "timeout_ms": 400}).status_code == 408
    assert app.value(window, script) == "#x"
    assert app.ask("POST", path, {"selector": "#late"}).status_code == 200


def test_a_picture_has_the_size_of_the_window_or_of_the_part(app: DesktopApp) -> None:
    window = app.open(path="/health", width=640, height=480)

    def picture(**body: Any) -> tuple[int, int]:
        answer = app.ask("POST", f"/{window['id']}/screenshot", body).json()
        assert answer["mimeType"] == "image/png"
        return png_size(answer["data"])

    assert picture() == (640, 480)
    assert picture(scale=2) == (1280, 960)
    assert picture(full_page=True) == (640, 480)
    assert picture(rect={"x": 20, "y": 30, "width": 200, "height": 100}) == (200, 100)


@pytest.mark.parametrize(
    "rect",
    [
        {"x": 0, "y": 0, "width": 1201, "height": 1},
        {"x": 1199, "y": 0, "width": 2, "height": 1},
        {"x": 0, "y": 0, "width": 0, "height": 1},
        {"x": -1, "y": 0, "width": 1, "height": 1},
        {"x": 0.5, "y": 0, "width": 1, "height": 1},
        {"x": 0},
        "zz",
    ],
)
def test_a_part_outside_of_the_page_is_refused(app: DesktopApp, window: Any, rect: Any) -> None:
    answer = app.ask("POST", f"/{window['id']}/screenshot", {"rect": rect})

    assert answer.status_code == 400, answer.text
