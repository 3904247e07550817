"""What most tests of tickets start from."""

from typing import Any

import pytest

from kombuse_sdk.testing import Factory


@pytest.fixture
def project(make: Factory) -> Any:
    return make.project()


@pytest.fixture
def ann(make: Factory) -> str:
    """The id of a person."""
    profile_id: str = make.profile(name="Ann")["id"]
    return profile_id


@pytest.fixture
def bob(make: Factory) -> str:
    """The id of another person."""
    profile_id: str = make.profile(name="Bob")["id"]
    return profile_id
