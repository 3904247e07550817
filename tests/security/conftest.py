"""An application for all tests of a module that leave it as it is; a home that is started anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.code_packages import Machine

from kombuse_kernel.app import build_app, kernel_for_tests
from kombuse_kernel.http.application import Application


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    kernel = kernel_for_tests(tmp_path_factory.mktemp("shared") / "home", [])
    kernel.start()
    yield build_app(kernel)
    kernel.stop()


@pytest.fixture
def machine(kombuse_home: Path) -> Iterator[Machine]:
    kombuse_home.mkdir(mode=0o700)
    made = Machine(kombuse_home)
    yield made
    made.stop()
