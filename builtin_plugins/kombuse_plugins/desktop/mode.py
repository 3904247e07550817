"""Desktop mode: asked for by `kombuse desktop` in the environment of its server.

The variable holds `window` or `no-window`, and `headless` after a comma.
"""

import os
import sys
from dataclasses import dataclass

__all__ = ["VARIABLE", "Mode", "forget_mode", "has_display", "requested_mode"]

VARIABLE = "KOMBUSE_DESKTOP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """`opens` a window at the start; `is_headless` windows are seen by programs alone."""

    opens: bool
    is_headless: bool


def requested_mode() -> Mode | None:
    """None for a server without windows."""
    words = os.environ.get(VARIABLE, "").split(",")
    if not {"window", "no-window"} & set(words):
        return None
    return Mode(opens="window" in words, is_headless="headless" in words or not has_display())


def forget_mode() -> None:
    """Programs that the server starts, other servers say, are in no desktop mode."""
    os.environ.pop(VARIABLE, None)


def has_display() -> bool:
    if sys.platform == "darwin":
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
