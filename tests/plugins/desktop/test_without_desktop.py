"""A server that is no desktop app, addresses of pages, and where pictures may go."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from kombuse_plugins.desktop import addresses, mode, pictures
from kombuse_sdk.errors import BadRequest, Forbidden, KombuseError

ROUTES = [
    ("GET", "/api/desktop/windows"),
    ("POST", "/api/desktop/windows"),
    ("POST", "/api/desktop/windows/1/navigate"),
    ("POST", "/api/desktop/windows/1/execute-js"),
    ("POST", "/api/desktop/windows/1/wait-for"),
    ("POST", "/api/desktop/windows/1/screenshot"),
    ("DELETE", "/api/desktop/windows/1"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_the_desktop_mode_there_are_no_windows(
    client: TestClient, method: str, path: str
) -> None:
    answer = client.request(method, path)

    assert answer.status_code == 404
    assert answer.json() == {"error": f"Route {method}:{path} not found"}


def test_the_document_names_the_addresses_all_the_same(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    named = {(m.upper(), path) for path, methods in paths.items() for m in methods}

    assert {(method, path.replace("/1", "/{window_id}")) for method, path in ROUTES} <= named


def test_without_the_desktop_mode_there_are_no_tools_for_it(client: TestClient) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    tools = client.post("/mcp", json=message).json()["result"]["tools"]

    assert "open_window" not in [tool["name"] for tool in tools]


@pytest.mark.parametrize(
    ("value", "opens", "is_headless"),
    [
        ("window", True, False),
        ("no-window", False, False),
        ("window,headless", True, True),
        ("no-window,headless", False, True),
    ],
)
def test_the_mode_is_what_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, value: str, opens: bool, is_headless: bool
) -> None:
    monkeypatch.setenv(mode.VARIABLE, value)
    monkeypatch.setenv("DISPLAY", ":1")

    assert mode.requested_mode() == mode.Mode(opens=opens, is_headless=is_headless)


def test_without_a_display_windows_are_headless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(mode.VARIABLE, "window")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    assert mode.requested_mode() == mode.Mode(opens=True, is_headless=True)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (None, "/?port=4000"),
        ("/", "/?port=4000"),
        ("/projects/x?tab=1", "/projects/x?tab=1&port=4000"),
        ("noslash", "/noslash?port=4000"),
        ("?port=1&a=", "/?a=&port=4000"),
        ("/x?port=4000#end", "/x?port=4000#end"),
        ("#end", "/?port=4000#end"),
        ("/../../x", "/x?port=4000"),
        ("http://127.0.0.1:4000/x", "/x?port=4000"),
        ("/x?next=http://evil.example", "/x?next=http%3A%2F%2Fevil.example&port=4000"),
        ("/%2F%2Fevil", "/%2F%2Fevil?port=4000"),
    ],
)
def test_paths_become_addresses_of_the_server(path: str | None, address: str) -> None:
    assert addresses.page_url(path, 4000) == f"http://127.0.0.1:4000{address}"


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("http://evil.example/", Forbidden),
        ("https://127.0.0.1:4000/", Forbidden),
        ("http://127.0.0.1:4001/", Forbidden),
        ("http://127.0.0.1/", Forbidden),
        ("//evil.example", Forbidden),
        ("file:///etc/passwd", Forbidden),
        ("javascript:alert(1)", Forbidden),
        ("data:text/html,x", Forbidden),
        ("chrome://version", Forbidden),
        ("view-source:http://127.0.0.1:4000/", Forbidden),
        ("http://me:secret@127.0.0.1:4000/", BadRequest),
        ("http://127.0.0.1:4000@evil.example/", BadRequest),
        ("\\\\evil.example", BadRequest),
        ("/\\evil.example", BadRequest),
        ("java\tscript:alert(1)", BadRequest),
        (" http://evil.example", BadRequest),
        ("/\n/evil.example", BadRequest),
        ("http://[", BadRequest),
    ],
)
def test_all_other_addresses_are_refused(path: str, error: type[KombuseError]) -> None:
    with pytest.raises(error):
        addresses.page_url(path, 4000)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "ann"
    made.mkdir()
    monkeypatch.setenv("HOME", str(made))
    return made


def test_pictures_go_below_the_home_directory(home: Path) -> None:
    path = pictures.target(f"{home}/a/../b/x.PNG")
    pictures.write(path, b"old")
    pictures.write(path, b"new")

    assert path == home / "b" / "x.PNG"
    assert path.read_bytes() == b"new"
    assert [found.name for found in path.parent.iterdir()] == ["x.PNG"]


@pytest.mark.parametrize(
    "name", ["x.png", "../x.png", "{home}/../x.png", "{home}2/x.png", "/tmp/x.png", "{home}\0.png"]
)
def test_pictures_go_nowhere_else(home: Path, name: str) -> None:
    message = "file_path must be an absolute path within the home directory"
    with pytest.raises(BadRequest, match=message):
        pictures.target(name.format(home=home))


@pytest.mark.parametrize("name", ["x.txt", "x.png.sh", ".bashrc", "x"])
def test_pictures_are_png_files(home: Path, name: str) -> None:
    with pytest.raises(BadRequest, match=r"file_path must end with \.png"):
        pictures.target(f"{home}/{name}")


def test_links_lead_no_picture_out_of_the_home_directory(home: Path, tmp_path: Path) -> None:
    (home / "out").symlink_to(tmp_path)
    with pytest.raises(BadRequest):
        pictures.target(f"{home}/out/x.png")

    other = tmp_path / "other.png"
    other.write_bytes(b"kept")
    (home / "x.png").symlink_to(other)
    pictures.write(pictures.target(f"{home}/x.png"), b"new")
    assert other.read_bytes() == b"kept"
