"""Exports: a package in the project's folder, and its archive beside it.

Both are written beside their places and then swapped in. What a person put into the folder and the
database does not know is taken along.
"""

import asyncio
import errno
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from kombuse_plugins.packages import draft
from kombuse_plugins.packages.draft import Draft
from kombuse_plugins.packages.places import project_of
from kombuse_plugins.packages.schemas import ExportBody
from kombuse_registry.archive import LIMITS, PLUGIN_JSON, ArchiveInfo, write_archive
from kombuse_registry.errors import ArchiveTooLarge
from kombuse_registry.folder import IGNORED
from kombuse_registry.manifest import MANIFEST_JSON
from kombuse_sdk import config_files
from kombuse_sdk.errors import BadRequest, Conflict, Forbidden
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.types import Kernel

__all__ = ["merged", "run"]

_OLD = "old"
_KINDS = ("new", _OLD, "tar.gz")
# Two exports of one package would take each other's unfinished folder for a remainder.
_writing = threading.Lock()


async def run(kernel: Kernel, body: ExportBody) -> Any:
    def collect(tx: ReadTx) -> Draft:
        return draft.collect(tx, body, project_of(tx, body.project_id))

    found = await kernel.db.read_async(collect)
    return await asyncio.to_thread(_write, found, overwrite=body.overwrite)


def _write(found: Draft, *, overwrite: bool) -> dict[str, Any]:
    target = found.place.plugins / found.name
    with _told(), _writing:
        config_files.make_folder(found.place.plugins, found.place.root)
        _recover(target)
        if os.path.lexists(target) and not overwrite:
            raise Conflict("package_exists", details={"directory": str(target)})
        existing = _Existing(target)
        files, exported_at = found.files(existing.files)
        archive = _replace(target, files, existing, datetime.fromisoformat(exported_at))
    files = _packed(files)
    return _described(found, target, files, archive)


def merged(found: Draft, *, overwrite: bool) -> tuple[dict[str, bytes], str]:
    """The files of an export and its time, without writing anything. Conflict like an export."""
    target = found.place.plugins / found.name
    with _told(), _writing:
        if os.path.lexists(target) and not overwrite:
            raise Conflict("package_exists", details={"directory": str(target)})
        return found.files(_Existing(target).files)


def _described(
    found: Draft, target: Path, files: Mapping[str, bytes], archive: ArchiveInfo
) -> dict[str, Any]:
    agents = sorted(path for path in files if draft.AGENT.fullmatch(path))
    texts = sorted(path for path in files if path.startswith("files/"))
    ordered = [MANIFEST_JSON, PLUGIN_JSON, *agents, *texts]
    return {
        "package_name": found.name,
        "directory": str(target),
        "agent_count": len(agents),
        "label_count": len(found.export.manifest["kombuse"]["labels"]),
        "file_count": len(texts),
        "files": ordered + sorted(files.keys() - set(ordered)),
        "archive": {"path": str(archive.path), "checksum": archive.checksum, "size": archive.size},
        "warnings": found.export.warnings,
    }


def _packed(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those that belong into an archive: no caches, no history, no secrets of the environment."""
    return {
        path: data
        for path, data in files.items()
        if not IGNORED.intersection(path.split("/")) and not path.endswith(".pyc")
    }


class _Existing:
    """What is in the folder that an export replaces: its files, links and who may see them."""

    def __init__(self, target: Path) -> None:
        paths: dict[Path, int] = {}
        self.links: dict[str, str] = {}
        for folder, folders, names in os.walk(target):
            for path in (Path(folder, name) for name in (*folders, *names)):
                if path.is_symlink():
                    self.links[path.relative_to(target).as_posix()] = str(path.readlink())
                elif path.is_file():
                    paths[path] = path.stat().st_mode
            if len(paths) > LIMITS.entries:
                raise ArchiveTooLarge(f"more than {LIMITS.entries} files in {target}")
        if sum(path.stat().st_size for path in paths) > LIMITS.unpacked:
            raise ArchiveTooLarge(f"what is in {target}")
        named = {path.relative_to(target).as_posix(): path for path in paths}
        self.files = {name: path.read_bytes() for name, path in named.items()}
        self.executables = {name for name, path in named.items() if paths[path] & stat.S_IXUSR}


def _replace(
    target: Path, files: Mapping[str, bytes], existing: _Existing, time: datetime
) -> ArchiveInfo:
    """Swap in the folder, then the archive. A failure leaves both as they were."""
    new, old, packed = (_beside(target, kind) for kind in _KINDS)
    executables = existing.executables & files.keys()
    try:
        _fill(new, files, existing.links, executables)
        written = write_archive(
            _packed(files), packed, int(time.timestamp()), executables=executables
        )
        if os.path.lexists(target):
            target.rename(old)
        new.rename(target)
        final = packed.replace(target.with_name(f"{target.name}.tar.gz"))
        return ArchiveInfo(path=final, checksum=written.checksum, size=written.size)
    finally:
        _recover(target)


def _fill(
    folder: Path, files: Mapping[str, bytes], links: Mapping[str, str], executables: set[str]
) -> None:
    """Readable by whoever may read what is beside the folder. Nothing is written through links."""
    mode = stat.S_IMODE(folder.parent.stat().st_mode) & 0o755
    folder.mkdir()
    for path, data in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(mode if path in executables else mode & 0o666)
    for path, aim in links.items():
        link = folder / path
        if not os.path.lexists(link):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(aim)
    for made in (folder, *(path for path in folder.rglob("*") if not path.is_symlink())):
        if made.is_dir():
            made.chmod(mode)


def _recover(target: Path) -> None:
    """Bring back a folder that was moved away and not replaced; remove what else was left."""
    left = {kind: list(target.parent.glob(_name_beside(target, kind))) for kind in _KINDS}
    for old in left[_OLD]:
        if not os.path.lexists(target):
            old.rename(target)
    for path in (path for paths in left.values() for path in paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _beside(target: Path, kind: str) -> Path:
    return target.with_name(_name_beside(target, kind, secrets.token_hex(8)))


def _name_beside(target: Path, kind: str, token: str = "[0-9a-f]" * 16) -> str:
    return f".{target.name}.{token}.{kind}"


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise BadRequest(f"Cannot write to directory: {error}") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        message = f"Cannot write to directory: {config_files.reason(error)}"
        raise (Forbidden if config_files.is_denied(error) else BadRequest)(message) from error
