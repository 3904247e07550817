"""One registry per test, empty but for its admin."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.registry_server.site import Site, running_site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running_site(tmp_path / "registry") as running:
        yield running
