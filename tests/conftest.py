"""Real server processes, the command line, and how hard Hypothesis tries."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.command_line import CommandLine
from tests.plugin_commands import Plugins, open_project, quiet_home

from kombuse_sdk.processes import ServerProcess, running_server

settings.register_profile(
    "kombuse", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.load_profile("kombuse")

StartServer = Callable[..., ServerProcess]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests of a module."""
    with running_server(tmp_path_factory.mktemp("server") / "home") as process:
        yield process


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Starts servers for this test alone: `start_server(home=..., options=..., env=...)`."""
    with ExitStack() as stack:

        def start(home: Path = tmp_path / "home", **options: object) -> ServerProcess:
            return stack.enter_context(running_server(home, **options))  # type: ignore[arg-type]

        yield start


@pytest.fixture
def command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Path], CommandLine]:
    """`command_line(home)` runs commands on a home, in the test's own folder."""

    def on(home: Path) -> CommandLine:
        for name in [name for name in os.environ if name.startswith("KOMBUSE_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("KOMBUSE_HOME", str(home))
        monkeypatch.chdir(tmp_path)
        return CommandLine(home, capsys)

    return on


@pytest.fixture(scope="module")
def quiet_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Like `server`, with no registry to ask."""
    with running_server(quiet_home(tmp_path_factory.mktemp("quiet") / "home")) as process:
        yield process


@pytest.fixture
def plugins(
    command_line: Callable[[Path], CommandLine], quiet_server: ServerProcess, tmp_path: Path
) -> Plugins:
    """`kombuse plugin` in a project of its own."""
    line = command_line(quiet_server.home)
    return open_project(line, quiet_server, tmp_path.name, tmp_path / "work")
