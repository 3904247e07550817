"""Plugins made of a few functions, for tests of what the kernel does with them."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from kombuse_sdk import PluginInfo, hookimpl

__all__ = ["fake_plugin"]


def fake_plugin(name: str, *, requires: tuple[str, ...] = (), **hooks: Any) -> ModuleType:
    """A plugin with the given hooks, named without the prefix `kombuse_`."""
    made = ModuleType(name)
    info = PluginInfo(name=name, title=name.title(), requires=requires)
    functions: dict[str, Callable[..., Any]] = {"plugin": lambda: info, **hooks}
    for hook, function in functions.items():
        setattr(made, f"kombuse_{hook}", hookimpl(function))
    return made
