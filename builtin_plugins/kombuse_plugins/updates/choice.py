"""Which updater there is for this installation."""

import logging
from pathlib import Path

from kombuse_plugins.updates.configuration import Configuration
from kombuse_sdk.errors import Unavailable
from kombuse_sdk.updates import Kind, ReversibleUpdater

__all__ = ["choose", "updater"]

log = logging.getLogger("kombuse.updates")


def updater(home: Path, kind: Kind, configuration: Configuration) -> ReversibleUpdater | None:
    """None where nothing of ours can update it."""
    try:
        return choose(home, kind, configuration)
    except Unavailable as error:
        log.info("no %s updates: %s", kind, error)
        return None


def choose(home: Path, kind: Kind, configuration: Configuration) -> ReversibleUpdater:
    """Raises Unavailable with the reason why there is none."""
    if kind == "app":
        from kombuse_plugins.updates.app_updater import AppUpdater

        return AppUpdater(home, configuration)
    from kombuse_plugins.updates.installation import Installation
    from kombuse_plugins.updates.shell_updater import ShellUpdater

    return ShellUpdater(home, configuration.channel, Installation.of_this_program())
