"""Where the server asks for a token, its own windows have it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.desktop_app import DesktopApp, running_desktop


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[DesktopApp]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "config.json").write_text('{"require_token": true}')
    with running_desktop(home) as app:
        yield app


@pytest.mark.parametrize("isolated", [False, True])
def test_a_window_reads_what_needs_the_token(guarded: DesktopApp, isolated: bool) -> None:
    window = guarded.open(path="/api/projects", isolated=isolated)

    found = guarded.ask("POST", f"/{window['id']}/wait-for", {"selector": "body"})

    assert found.status_code == 200
    if isolated:
        assert guarded.value(window, "document.body.innerText") == "[]"
        status = "fetch('/api/projects').then(answer => answer.status)"
        assert guarded.value(window, status, world="main") == 200
