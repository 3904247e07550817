"""The browser of this machine: where it is, and how it is started."""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from kombuse_plugins.desktop.addresses import origin
from kombuse_plugins.desktop.errors import NoBrowser
from kombuse_sdk.process import search_path
from kombuse_sdk.types import Config

__all__ = ["arguments", "find_program", "proxy_bypass", "proxy_server"]

_VARIABLE = "KOMBUSE_BROWSER"
_NAMES = (
    *("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    *("microsoft-edge", "brave-browser"),
)
_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
_FLAGS = (
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-quic",
    "--disable-sync",
    "--disable-features=MediaRouter,OptimizationHints,Translate",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--password-store=basic",
    "--use-mock-keychain",
)
_HEADLESS_FLAGS = (
    "--headless=new",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--hide-scrollbars",
)


def find_program(config: Config) -> str:
    """What config.json or the environment name, else the first that is installed; NoBrowser."""
    binaries = config.values.get("binaries")
    named = binaries.get("chromium") if isinstance(binaries, Mapping) else None
    chosen = named if isinstance(named, str) and named else os.environ.get(_VARIABLE)
    candidates = (str(Path(chosen).expanduser()),) if chosen else (*_NAMES, *_PLACES)
    path = search_path("")
    for candidate in candidates:
        found = shutil.which(candidate, path=path)
        if found:
            return found
    raise NoBrowser


def arguments(profile: Path, port: int, *, is_headless: bool) -> list[str]:
    """Whatever a page does, the browser reaches the one server and nothing else."""
    return [
        *_FLAGS,
        *(_HEADLESS_FLAGS if is_headless else ()),
        *(["--no-sandbox"] if sys.platform == "linux" and os.geteuid() == 0 else ()),
        f"--user-data-dir={profile}",
        f"--proxy-server={proxy_server()}",
        f"--proxy-bypass-list={proxy_bypass(port)}",
    ]


def proxy_server() -> str:
    """A proxy that does not exist: what is not excepted from it goes nowhere."""
    return "http://nowhere.invalid:80"


def proxy_bypass(port: int) -> str:
    """The exception from the proxy; by default, all of the loopback would be one."""
    return f"<-loopback>;{origin(port).removeprefix('http://')}"
