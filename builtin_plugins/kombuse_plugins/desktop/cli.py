"""`kombuse desktop`"""

import fcntl
import os
import sys
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import typer

from kombuse_plugins.desktop.mode import VARIABLE
from kombuse_sdk.client import Client, NotRunning, Refused
from kombuse_sdk.console import CommandError, ExitCode, Home
from kombuse_sdk.home import default_home

__all__ = ["app"]

app = typer.Typer(pretty_exceptions_enable=False)
_LOCK_FILE = "desktop.lock"
_START_SECONDS = 20.0
_POLL_SECONDS = 0.05


@app.command()
def desktop(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any free port.")
    ] = 0,
    window: Annotated[
        bool, typer.Option("--window/--no-window", help="Whether to open a window at once.")
    ] = True,
    headless: Annotated[
        bool, typer.Option("--headless", help="Windows for programs alone, that nobody sees.")
    ] = False,
    home: Home = None,
) -> None:
    """Run the app in a window of this machine's Chromium or Chrome, until it is closed.

    Where there is no display, its windows are there for programs alone. When it runs already, it
    opens a further window.
    """
    folder = (home or default_home()).expanduser().absolute()
    lock = _lock(folder)
    if lock is None:
        _open_another(folder, window)
        return
    os.set_inheritable(lock, True)  # held by the server that this process becomes
    mode = ("window" if window else "no-window") + (",headless" if headless else "")
    environment = {**os.environ, VARIABLE: mode, "KOMBUSE_HOME": str(folder)}
    command = [sys.executable, "-m", "kombuse_kernel.cli", "serve", "--port", str(port)]
    os.execve(sys.executable, command, environment)


def _lock(folder: Path) -> int | None:
    """Who has the lock is the one app of a home, from before it uses anything in there."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(folder / _LOCK_FILE, flags, 0o600)
    except OSError as error:
        message = f"{error.filename or folder} cannot be used: {error.strerror}"
        raise CommandError(message, ExitCode.STORAGE) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _open_another(folder: Path, window: bool) -> None:
    """The one that runs may be about to start, or to end."""
    deadline = monotonic() + _START_SECONDS
    while True:
        try:
            with Client(folder) as api:
                if window:
                    api.post("/api/desktop/windows", body={})
                typer.echo(f"Kombuse runs already, at http://127.0.0.1:{api.port}")
                return
        except Refused:
            raise
        except NotRunning as error:
            if monotonic() > deadline:
                raise CommandError(f"Kombuse is starting or ending: {error.message}") from error
            sleep(_POLL_SECONDS)
