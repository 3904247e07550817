"""A server on loopback that stands in for registries and GitHub."""

from collections.abc import Iterator

import pytest
from tests.registry.stand_in_feed import StandIn, serving


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with serving() as server:
        yield server
