"""Isolated windows: their own server, on a copy of the data that is gone with the window."""

from typing import Any
from urllib.parse import urlsplit

import httpx
from tests.desktop_app import DesktopApp


def address(window: Any) -> str:
    return f"http://{urlsplit(window['url']).netloc}"


def make_project(app: DesktopApp, name: str, base: str = "") -> None:
    body = {"name": name, "owner_id": "user-1"}
    assert app.server.http.post(f"{base}/api/projects", json=body).status_code == 201


def projects(app: DesktopApp, base: str = "") -> set[str]:
    found = app.server.http.get(f"{base}/api/projects", params={"limit": 100}).json()
    return {project["name"] for project in found}


def test_the_copy_has_the_data_and_changes_stay_in_it(app: DesktopApp) -> None:
    make_project(app, "Real")
    first = app.open(path="/health", isolated=True)
    second = app.open(path="/health", isolated=True)

    assert urlsplit(first["url"]).port not in (None, app.server.port)
    assert projects(app, address(first)) == projects(app)
    make_project(app, "Tried out", address(first))
    assert "Tried out" in projects(app, address(first))
    assert "Tried out" not in projects(app)
    assert "Tried out" not in projects(app, address(second))


def test_server_and_copy_are_gone_with_the_window(app: DesktopApp) -> None:
    window = app.open(path="/health", isolated=True)
    folder = app.server.home / "isolated"
    (copy,) = set(folder.iterdir())
    assert copy.stat().st_mode & 0o777 == 0o700
    assert (copy / "data.db").stat().st_mode & 0o777 == 0o600

    app.close(window)

    assert list(folder.iterdir()) == []
    try:
        httpx.get(f"{address(window)}/health", trust_env=False)
        raise AssertionError("the server of the window still answers")
    except httpx.ConnectError:
        assert app.windows() == []


def test_nothing_in_an_isolated_window_can_start_an_agent(app: DesktopApp) -> None:
    base = address(app.open(path="/health", isolated=True))

    assert app.server.http.get(f"{base}/api/backend-status").status_code == 404
    assert app.server.http.get("/api/backend-status").status_code == 200


def test_an_isolated_server_has_no_windows_and_the_ordinary_tools(app: DesktopApp) -> None:
    base = address(app.open(path="/health", isolated=True))

    assert app.server.http.get(f"{base}/api/desktop/windows").status_code == 404
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    tools = app.server.http.post(f"{base}/mcp", json=message).json()["result"]["tools"]
    assert "create_ticket" in [tool["name"] for tool in tools]
    assert "open_window" not in [tool["name"] for tool in tools]


def test_the_port_file_is_that_of_the_app(app: DesktopApp) -> None:
    app.open(path="/health", isolated=True)

    assert (app.server.home / "server-port").read_text() == str(app.server.port)
