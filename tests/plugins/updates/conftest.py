"""A server that is told to look for updates at a registry on loopback, and a scripted updater."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.plugins.updates.app_packages import KEY
from tests.registry.stand_in_feed import StandIn, serving

from kombuse_sdk.updates import Listener, UpdateInfo, UpdateStatus


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    with serving() as server:
        yield server


@pytest.fixture
def updates_config() -> dict[str, Any]:
    """Further settings of updates."""
    return {}


@pytest.fixture
def kombuse_config(stand_in: StandIn, updates_config: dict[str, Any]) -> dict[str, Any]:
    settings = {
        "enabled": True,
        "registry_url": stand_in.url,
        "public_keys": [KEY.public_text],
        "auto_check_hours": 0,
    }
    return {"updates": settings | updates_config}


class Scripted:
    """An updater that does as it is told."""

    def __init__(self) -> None:
        self.now = UpdateStatus(state="idle", current_version="1.0.0")
        self.check_does: Callable[[], UpdateInfo | None] = lambda: None
        self.install_does: Callable[[], None] = lambda: None
        self.cleared = 0
        self._listeners: list[Listener] = []

    def status(self) -> UpdateStatus:
        return self.now

    def check(self) -> UpdateInfo | None:
        return self.check_does()

    def install(self) -> None:
        self.install_does()

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def clear_cache(self) -> None:
        self.cleared += 1

    def becomes(self, **changes: Any) -> None:
        values = {"state": "idle", "current_version": "1.0.0"} | changes
        self.now = UpdateStatus(**values)
        for listener in self._listeners:
            listener(self.now)


@pytest.fixture
def scripted() -> Scripted:
    return Scripted()
