"""One app with a real browser for all tests of windows; each closes the windows it opened."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.desktop_app import DesktopApp, running_desktop


@pytest.fixture(scope="session")
def running_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DesktopApp]:
    with running_desktop(tmp_path_factory.mktemp("desktop") / "home") as app:
        yield app


@pytest.fixture
def app(running_app: DesktopApp) -> Iterator[DesktopApp]:
    yield running_app
    for window in running_app.windows():
        running_app.close(window)


@pytest.fixture
def window(app: DesktopApp) -> Any:
    return app.open(path="/health")


@pytest.fixture(scope="module")
def kept_window(running_app: DesktopApp) -> Iterator[Any]:
    """An isolated window for tests that leave it as it was: it has a server of its own."""
    window = running_app.open(path="/health", isolated=True)
    yield window
    running_app.close(window)


@pytest.fixture
def isolated(running_app: DesktopApp, kept_window: Any) -> Any:
    return kept_window
