"""One application for all tests of a module that leave it as it is."""

from collections.abc import Iterator

import pytest

from kombuse_kernel.app import build_app, kernel_for_tests
from kombuse_kernel.http.application import Application


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    kernel = kernel_for_tests(tmp_path_factory.mktemp("shared") / "home", [])
    kernel.start()
    yield build_app(kernel)
    kernel.stop()
