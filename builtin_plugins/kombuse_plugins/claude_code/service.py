"""Projects of Claude Code as projects of ours: which are, and how they become it."""

import os
from collections.abc import Sequence
from itertools import filterfalse
from pathlib import PurePosixPath
from typing import Any

from kombuse_plugins.claude_code.session_files import SessionFiles
from kombuse_sdk.contracts import Live, Projects
from kombuse_sdk.contracts.profiles import LOCAL_USER
from kombuse_sdk.errors import Invalid, Unavailable, issue
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import ReadTx, WriteTx
from kombuse_sdk.types import Kernel

__all__ = ["announce_new_sessions", "found_projects", "import_projects"]


async def found_projects(kernel: Kernel) -> list[dict[str, Any]]:
    files = kernel.services.get(SessionFiles)
    found = await files.read(files.projects)
    return await kernel.db.read_async(
        lambda tx: [one | {"isImported": _project_at(tx, one["path"]) is not None} for one in found]
    )


async def import_projects(kernel: Kernel, paths: Sequence[str]) -> JsonText:
    """The new projects; a folder that a project has already is left out."""
    files = kernel.services.get(SessionFiles)
    await files.read(lambda: _require_folders(files, paths))
    return await kernel.db.write_async(lambda tx: _import(tx, paths))


def announce_new_sessions(kernel: Kernel) -> None:
    new, live = kernel.services.get(SessionFiles).new_sessions(), kernel.services.find(Live)
    if not new or live is None:
        return
    with kernel.db.read() as tx:
        projects = {session.path: _project_at(tx, session.path) for session in new}
    for session in new:
        message = {"sessionId": session.session_id, "path": session.path}
        project_id = projects[session.path]
        topics = ["*"]
        if project_id is not None:
            message["projectId"] = project_id
            topics.append(f"project:{project_id}")
        live.publish(topics, {"type": "claude_code.session_found", **message})


def _require_folders(files: SessionFiles, paths: Sequence[str]) -> None:
    """A folder may be gone meanwhile, as long as Claude Code has worked in it."""
    missing = set(filterfalse(os.path.isdir, paths))
    known = {found["path"] for found in files.projects()} if missing else set()
    message = "Neither an existing folder nor a project of Claude Code"
    problems = [
        issue("custom", ["paths", number], message)
        for number, path in enumerate(paths)
        if path in missing and path not in known
    ]
    if problems:
        raise Invalid(*problems)


def _import(tx: WriteTx, paths: Sequence[str]) -> JsonText:
    projects = tx.services.find(Projects)
    if projects is None:
        raise Unavailable("The plugin projects is disabled")
    made = [
        projects.add(tx, name=PurePosixPath(path).name, owner_id=LOCAL_USER, local_path=path).data
        for path in dict.fromkeys(paths)
        if projects.at_path(tx, path) is None
    ]
    return JsonText(b"[" + b",".join(made) + b"]")


def _project_at(tx: ReadTx, path: str) -> str | None:
    projects = tx.services.find(Projects)
    return None if projects is None else projects.at_path(tx, path)
