"""Commands that plugins offer. A plugin that cannot say its commands loses only those."""

import logging
from functools import cache

from kombuse_kernel.config import load_config
from kombuse_kernel.plugins import find_plugins
from kombuse_sdk.console import one_line
from kombuse_sdk.types import Command

__all__ = ["offered_commands"]

log = logging.getLogger("kombuse.plugins")


@cache
def offered_commands() -> tuple[Command, ...]:
    config = load_config()
    host = find_plugins(config)
    found: list[Command] = []
    for item in host.loaded:
        try:
            for _, values in host.call("kombuse_commands", only=item):
                offered = list(values)
                for value in offered:
                    if not isinstance(value, Command):
                        raise TypeError(f"{value!r} is not a Command")
                found += offered
        except Exception as error:
            log.warning("the commands of %s are left out: %s", item.info.name, one_line(error))
    return tuple(found)
