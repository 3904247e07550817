"""A server of its own for one window, on a copy of the data that nobody keeps."""

import asyncio
import json
import os
import secrets
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

from kombuse_plugins.desktop import isolated_process
from kombuse_plugins.desktop.errors import LoadTimeout
from kombuse_sdk.errors import Unavailable
from kombuse_sdk.home import PORT_FILE, TOKEN_FILE, write_private
from kombuse_sdk.process import ChildProcess, child_environment
from kombuse_sdk.types import Kernel

__all__ = ["IsolatedServer", "remove_leftovers"]

_FOLDER = "isolated"
_START_SECONDS = 30.0
_POLL_SECONDS = 0.005


class IsolatedServer:
    """It has no backends, so that nothing done in its window starts an agent."""

    def __init__(self, home: Path, child: ChildProcess, port: int) -> None:
        self._home = home
        self._child = child
        self.port = port

    @classmethod
    async def start(cls, kernel: Kernel) -> "IsolatedServer":
        """Raises Unavailable when it does not start."""
        home = kernel.config.home / _FOLDER / secrets.token_hex(8)
        copying = asyncio.create_task(asyncio.to_thread(_copy, kernel, home))
        try:
            await asyncio.shield(copying)
            child = await ChildProcess.start(
                [sys.executable, "-I", "-S", isolated_process.__file__, str(home)],
                env=child_environment(sys.executable),
            )
            try:
                return cls(home, child, await _port(home, child))
            except BaseException:
                await child.end(patience=1.0)
                raise
        except BaseException as error:
            await asyncio.wait({copying})  # a thread that copies cannot be stopped
            await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)
            if isinstance(error, OSError | sqlite3.Error | LoadTimeout):
                raise Unavailable("Failed to start isolated server") from error
            raise

    async def stop(self) -> None:
        await self._child.end(patience=5.0)
        await asyncio.to_thread(shutil.rmtree, self._home, ignore_errors=True)


def remove_leftovers(home: Path) -> None:
    """Copies that a server which was killed could not remove."""
    shutil.rmtree(home / _FOLDER, ignore_errors=True)


def _copy(kernel: Kernel, home: Path) -> None:
    config = kernel.config
    home.parent.mkdir(mode=0o700, exist_ok=True)
    home.mkdir(mode=0o700)
    database = home / "data.db"
    os.close(os.open(database, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    source = f"{config.database_path.as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(source, uri=True)) as original,
        closing(sqlite3.connect(database)) as copy,
    ):
        original.backup(copy)
    if config.uploads.is_dir():
        shutil.copytree(config.uploads, home / config.uploads.name, copy_function=_link)
    write_private(home / "config.json", json.dumps(_values(kernel)))
    if kernel.access.is_required:  # the same, so that the browser has one for all its windows
        shutil.copy2(config.home / TOKEN_FILE, home / TOKEN_FILE)


def _values(kernel: Kernel) -> dict[str, object]:
    """The same settings, but for where the data is and for whatever could run agents."""
    values = {key: value for key, value in kernel.config.values.items() if key != "database"}
    backends = {plugin for plugin, _ in kernel.offers("kombuse_agent_backends")}
    disabled = {status.name for status in kernel.plugins if status.state == "disabled"}
    return values | {"disabled_plugins": sorted(backends | disabled | {"desktop"})}


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copy2(source, target)


async def _port(home: Path, child: ChildProcess) -> int:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_SECONDS
    while loop.time() < deadline:
        with suppress(FileNotFoundError, ValueError):
            return int((home / PORT_FILE).read_text(encoding="ascii"))
        if child.exit_code is not None:
            raise OSError(f"the isolated server ended with {child.exit_code}: {child.stderr}")
        await asyncio.sleep(_POLL_SECONDS)
    raise LoadTimeout("the isolated server is not ready in time")
