"""What happens on disk when a project gets a folder: after the commit, never inside it.

A failure there does not undo the project: the answer carries it as `warning`.
"""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

from kombuse_plugins.projects import codex, init_files, service
from kombuse_plugins.projects.schemas import InitOptions, ProjectCreate, ProjectUpdate
from kombuse_sdk import config_files
from kombuse_sdk.errors import BadRequest, Invalid, issue
from kombuse_sdk.mcp_clients import Bridge, our_server
from kombuse_sdk.sql import JsonText
from kombuse_sdk.types import Kernel

__all__ = ["create", "init", "update"]

log = logging.getLogger("kombuse.projects")


async def create(kernel: Kernel, body: ProjectCreate) -> Any:
    path = body.local_path
    if path:
        await _require_directory(path)
    made = await kernel.db.write_async(lambda tx: service.create(tx, body))
    if not path:
        return made
    return _with(made, await asyncio.to_thread(_set_up, Path(path), our_server(kernel)))


async def update(kernel: Kernel, reference: str, body: ProjectUpdate) -> Any:
    """A folder that was stored already may be gone meanwhile; that is only worth a warning."""
    path = body.local_path
    if path:
        stored = await kernel.db.read_async(lambda tx: service.local_path(tx, reference))
        if path != stored:
            await _require_directory(path)
    saved = await kernel.db.write_async(lambda tx: service.update(tx, reference, body))
    if not path:
        return saved
    return _with(saved, await asyncio.to_thread(_configure_codex, Path(path), our_server(kernel)))


async def init(kernel: Kernel, path: str, options: InitOptions) -> Any:
    if not await asyncio.to_thread(os.path.isdir, path):
        raise BadRequest(f"Project path does not exist or is not a directory: {path}")
    done = await asyncio.to_thread(init_files.run, Path(path), our_server(kernel), options)
    return {"projectPath": path, "files": done}


async def _require_directory(path: str) -> None:
    if not await asyncio.to_thread(os.path.isdir, path):
        raise Invalid(issue("custom", ["local_path"], f"{path} is not an existing directory"))


def _set_up(folder: Path, server: Bridge) -> str | None:
    warning = _configure_codex(folder, server)
    if warning is not None:
        return warning
    done = init_files.run(folder, server, InitOptions())
    failed = [f"{item['file']}: {item['reason']}" for item in done if item["action"] == "error"]
    return f"Project init failed: {'; '.join(failed)}" if failed else None


def _configure_codex(folder: Path, server: Bridge) -> str | None:
    try:
        codex.configure(folder, server)
    except Exception as error:
        log.warning("Codex is not configured for %s: %s", folder, error)
        return f"Codex configuration failed: {config_files.reason(error)}"
    return None


def _with(saved: JsonText, warning: str | None) -> Any:
    return saved if warning is None else saved.load() | {"warning": warning}
