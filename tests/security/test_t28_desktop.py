"""T28: whoever controls windows gets no further than the app, and every call is on record."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.desktop_app import DesktopApp, running_desktop

from kombuse_sdk.contracts.profiles import ANONYMOUS_AGENT, LOCAL_USER

CLOSED = "Permission denied: Anonymous MCP write access is disabled."


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DesktopApp]:
    with running_desktop(tmp_path_factory.mktemp("t28") / "home") as made:
        yield made


@pytest.fixture(scope="module")
def ordinary(app: DesktopApp) -> Any:
    return app.open(path="/health")


@pytest.fixture(scope="module")
def isolated(app: DesktopApp) -> Any:
    return app.open(path="/health", isolated=True)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("file:///etc/passwd", 403),
        ("http://evil.example/", 403),
        ("//evil.example/", 403),
        ("javascript:alert(1)", 403),
        ("chrome://settings", 403),
        ("view-source:file:///etc/passwd", 403),
        ("http://user:secret@127.0.0.1/", 400),
        ("\\\\evil.example\\share", 400),
    ],
)
def test_no_window_is_sent_out_of_the_app(
    app: DesktopApp, ordinary: Any, path: str, status: int
) -> None:
    before = app.windows()

    assert app.ask("POST", "", {"path": path}).status_code == status
    moved = app.ask("POST", f"/{ordinary['id']}/navigate", {"path": path})
    assert moved.status_code == status
    assert app.windows() == before


@pytest.mark.parametrize("world", ["isolated", "main"])
def test_scripts_run_in_isolated_windows_alone(app: DesktopApp, ordinary: Any, world: str) -> None:
    answer = app.run(ordinary, "document.title = 'changed'", world=world)

    assert answer.status_code == 403
    assert answer.json() == {"error": "execute_js is only allowed on isolated windows"}
    assert "changed" not in str(app.windows())


@pytest.mark.parametrize(
    "go",
    [
        "location.href = '{url}'",
        "location.replace('file:///etc/passwd')",
        "window.open('{url}')",
        "document.body.innerHTML = '<iframe src=\"{url}\"></iframe>'",
        "document.body.innerHTML = '<a href=\"{url}\">x</a>'; document.querySelector('a').click()",
    ],
)
def test_a_script_gets_its_window_nowhere_else(app: DesktopApp, isolated: Any, go: str) -> None:
    before = len(app.windows())
    script = go.format(url=f"{app.server.url}/health")
    app.value(isolated, f"{script}; null")
    app.value(isolated, "new Promise((resolve) => setTimeout(resolve, 200))")

    (found,) = [window for window in app.windows() if window["id"] == isolated["id"]]
    assert found["url"] == isolated["url"]
    framed = "document.querySelector('iframe')?.contentDocument?.body.innerText ?? ''"
    assert app.value(isolated, framed) == ""
    assert len(app.windows()) == before


@pytest.mark.parametrize("world", ["isolated", "main"])
def test_a_script_reaches_no_server_but_that_of_its_window(
    app: DesktopApp, isolated: Any, world: str
) -> None:
    """Not even the app's own, though its guard lets in pages of this machine."""
    url = f"{app.server.url}/api/projects"
    fetching = f"fetch('{url}').then((answer) => answer.text(), (error) => error.name)"
    assert app.value(isolated, fetching, world=world) == "TypeError"
    blind = f"fetch('{url}', {{method: 'POST', mode: 'no-cors', body: '{{}}'}})"
    blind += ".then(() => 'sent', () => 'refused')"
    assert app.value(isolated, blind, world=world) == "refused"
    socket = f"""
    new Promise((resolve) => {{
      const socket = new WebSocket("{app.server.url.replace("http", "ws")}/ws");
      socket.onopen = () => resolve("open");
      socket.onerror = () => resolve("refused");
    }})
    """
    assert app.value(isolated, socket, world=world) == "refused"
    own = "fetch('/api/projects').then((answer) => answer.status)"
    assert app.value(isolated, own, world=world) == 200


def test_the_browser_listens_nowhere(app: DesktopApp, ordinary: Any) -> None:
    """It is spoken to over pipes; a port would let any process of this machine drive it."""
    profile = app.server.home / "desktop-profile"

    assert profile.stat().st_mode & 0o777 == 0o700
    assert list(profile.rglob("DevToolsActivePort")) == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("open_window", {}),
        ("navigate_to", {"path": "/"}),
        ("execute_js", {"script": "1"}),
        ("save_screenshot", {"file_path": "{home}/x.png"}),
        ("close_window", {}),
    ],
)
def test_acting_tools_are_behind_the_gate_for_writing(
    app: DesktopApp, isolated: Any, name: str, arguments: dict[str, str]
) -> None:
    before = app.windows()
    given = {key: value.format(home=app.server.home) for key, value in arguments.items()}
    if name != "open_window":
        given["window_id"] = isolated["id"]

    answer = app.tool(name, **given)

    assert answer.is_error
    assert CLOSED in answer.text
    assert app.windows() == before
    assert not (app.server.home / "x.png").exists()


def test_every_call_is_recorded_with_who_made_it(app: DesktopApp, ordinary: Any) -> None:
    app.allow_anonymous_writes()
    try:
        session = "chat-11111111-1111-4111-8111-111111111111"
        app.tool("list_windows", kombuse_session_id=session)
        app.tool("navigate_to", kombuse_session_id=session, window_id=ordinary["id"], path="//x")
        app.tool("execute_js", kombuse_session_id=session, window_id=ordinary["id"], script="1+1")
    finally:
        app.allow_anonymous_writes("denied")
    app.ask("POST", f"/{ordinary['id']}/screenshot")

    calls = app.calls()[:4]
    assert [(c["payload"]["action"], c["payload"]["status"]) for c in calls] == [
        ("take_screenshot", 200),
        ("execute_js", 403),
        ("navigate_to", 403),
        ("list_windows", 200),
    ]
    assert [c["kombuse_session_id"] for c in calls] == [None, session, session, session]
    assert [c["actor_id"] for c in calls] == [LOCAL_USER] + 3 * [ANONYMOUS_AGENT]
    assert calls[1]["payload"]["script"] == "1+1"
    assert calls[2]["payload"]["path"] == "//x"
