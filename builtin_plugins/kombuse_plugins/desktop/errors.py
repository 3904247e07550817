"""What goes wrong with windows, beside the errors of the SDK."""

from typing import ClassVar

from kombuse_sdk.errors import KombuseError, Unavailable

__all__ = ["BrowserGone", "LoadTimeout", "NoBrowser", "NotInTime", "ProtocolError"]


class NotInTime(KombuseError):
    """Something in a page did not happen within the time that the caller gave."""

    status = 408


class LoadTimeout(KombuseError):
    """A page did not load within the time that we give."""

    status = 504


class NoBrowser(Unavailable):
    code: ClassVar[str | None] = "NO_BROWSER"

    def __init__(self) -> None:
        super().__init__(
            "No desktop browser available: install Chromium or Chrome (Debian and Ubuntu: apt-get"
            " install chromium; macOS: brew install --cask chromium), or name its program in"
            " config.json as binaries.chromium or in the variable KOMBUSE_BROWSER"
        )


class BrowserGone(Unavailable):
    """The browser ended, with all of its windows; the next call starts a new one."""

    def __init__(self) -> None:
        super().__init__("The desktop browser ended: its windows are closed")


class ProtocolError(Exception):
    """The browser answered a command with an error."""
