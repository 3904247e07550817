"""What every live session works with."""

from collections.abc import Callable
from dataclasses import dataclass

from kombuse_plugins.sessions.announcements import Announcer
from kombuse_plugins.sessions.prompts import Renderer
from kombuse_plugins.sessions.recorder import Recorder
from kombuse_sdk.types import Kernel

__all__ = ["Surroundings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """`freed` is called when a session no longer takes one of the places of runs."""

    kernel: Kernel
    recorder: Recorder
    renderer: Renderer
    announce: Announcer
    freed: Callable[[], None]
