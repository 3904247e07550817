"""Installing packages: all is read and checked first, then written in one transaction.

`install` is what every way to a package ends in. It blocks: call it in a thread.
"""

import asyncio
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from starlette.responses import Response

from kombuse_plugins.packages import cache, code, digests, package_files, queries, service
from kombuse_plugins.packages.models import PluginRow
from kombuse_plugins.packages.places import project_of
from kombuse_plugins.packages.schemas import COUNTERS, Install, InstallResult
from kombuse_registry import versions
from kombuse_registry.manifest import PluginManifest
from kombuse_registry.package import Package, read_package
from kombuse_sdk.contracts import Projects
from kombuse_sdk.errors import BadRequest, Conflict
from kombuse_sdk.packages import Installation, PackageSection
from kombuse_sdk.schemas import Body
from kombuse_sdk.storage import ReadTx, Row, WriteTx
from kombuse_sdk.types import Kernel

__all__ = ["Choices", "Origin", "answer", "install", "run"]

Parsed = Sequence[tuple[PackageSection[Any], Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the person decided about one installation."""

    overwrite: bool = False
    allow_author_change: bool = False
    allow_downgrade: bool = True
    allow_code: bool = False
    code_sha256: str | None = None
    dry_run: bool = False

    @classmethod
    def of(cls, body: Body) -> "Choices":
        """What a body says; the defaults for what it has no say in."""
        return cls(**body.model_dump(include={field.name for field in fields(cls)}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The feed that a package came from, to look for its updates there; None for this machine."""

    feed_id: str | None = None
    name: str | None = None
    channel: str | None = None
    version: str | None = None


LOCAL = Origin()


class _Tried(Exception):
    """Rolls a dry run back."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__()
        self.result = result


async def run(kernel: Kernel, body: Install) -> Any:
    """Of a folder or a .tar.gz on this machine."""

    def locate(tx: ReadTx) -> tuple[str, Path]:
        project_id = project_of(tx, body.project_id)
        return project_id, _path(tx, project_id, body.package_path)

    project_id, path = await kernel.db.read_async(locate)
    choices = Choices.of(body)

    def work() -> dict[str, Any]:
        return install(kernel, project_id, _read(path), choices)

    return answer(await asyncio.to_thread(work), choices)


def answer(result: dict[str, Any], choices: Choices) -> Any:
    """What a route answers: a dry run has made nothing, so its status is 200."""
    if not choices.dry_run:
        return result
    shown = InstallResult.model_validate(result).model_dump_json(exclude_unset=True)
    return Response(shown, media_type="application/json")


def _read(path: Path) -> Package:
    try:
        return read_package(path)
    except OSError as error:
        raise BadRequest(f"Cannot read the package: {error.strerror or error}") from error


def install(
    kernel: Kernel,
    project_id: str,
    package: Package,
    choices: Choices,
    origin: Origin = LOCAL,
) -> dict[str, Any]:
    """An `InstallResult`: what was done, or what would be.

    Raises BadRequest for what a section refuses and for code that nobody allowed; Conflict for a
    plugin that is there already, of another author, or newer when that matters.
    """
    order = _Order(kernel.config.home, project_id, package, choices, origin)
    with kernel.db.read() as tx:
        _replaced(tx, order)
    parsed = [(section, section.read(package.content)) for section in service.sections(kernel)]
    place = package.path if choices.dry_run else cache.directory_of(kernel.config, package)
    try:
        with kernel.db.write() as tx:
            result = _write(tx, order, str(place), parsed)
            if choices.dry_run:
                raise _Tried(result)
            return result
    except _Tried as tried:
        return tried.result


@dataclass(frozen=True, slots=True)
class _Order:
    home: Path
    project_id: str
    package: Package
    choices: Choices
    origin: Origin

    @property
    def manifest(self) -> PluginManifest:
        return self.package.manifest

    @property
    def name(self) -> str:
        return self.package.manifest.name


def _write(tx: WriteTx, order: _Order, directory: str, parsed: Parsed) -> dict[str, Any]:
    project_of(tx, order.project_id)
    before = _replaced(tx, order)
    installation = Installation(
        plugin_id=before["id"] if before else str(uuid.uuid4()),
        plugin_name=order.name,
        project_id=order.project_id,
        is_update=before is not None,
        is_enabled=before is None or bool(before["is_enabled"]),
        content=order.package.content,
        warnings=[*order.package.warnings, *_worth_knowing(order, before)],
    )
    _save(tx, installation, _described(order, directory, before))
    for section, found in parsed:
        section.install(tx, installation, found)
    for gone in queries.orphaned_plugins(tx, order.project_id):
        package_files.release(tx, gone)
    row = queries.row(tx, installation.plugin_id)
    assert row is not None
    if before is None:
        service.emit(tx, "plugin.installed", row, version=row["version"])
    else:
        service.emit(
            tx, "plugin.updated", row, version=row["version"], from_version=before["version"]
        )
    return _result(installation, order.choices)


def _replaced(tx: ReadTx, order: _Order) -> Row | None:
    """The installed plugin that the package takes the place of, if it may."""
    before = queries.by_name(tx, order.project_id, order.name)
    if before is not None:
        _require_replaceable(order, before)
    _code(order, before)
    return before


def _require_replaceable(order: _Order, before: Row) -> None:
    choices = order.choices
    if not choices.overwrite:
        raise Conflict(
            "plugin_already_installed",
            hint=f'"{order.name}" is installed already. To replace it, set overwrite: true',
            details={"plugin_name": order.name},
        )
    author = order.manifest.author
    if before["author"] not in (None, author) and not choices.allow_author_change:
        raise Conflict(
            "author_mismatch",
            hint=f'The installed "{order.name}" is by {before["author"]}, this one by'
            f" {author or 'nobody'}. If that is right, set allow_author_change: true",
            details={
                "plugin_name": order.name,
                "installed_author": before["author"],
                "author": author,
            },
        )
    if _is_downgrade(order, before) and not choices.allow_downgrade:
        raise Conflict(
            "downgrade",
            hint=f'The installed "{order.name}" is {before["version"]}, which is newer',
            details={"plugin_name": order.name, "installed_version": before["version"]},
        )


def _is_downgrade(order: _Order, before: Row) -> bool:
    return versions.is_newer(before["version"], order.manifest.version)


def _worth_knowing(order: _Order, before: Row | None) -> Iterator[str]:
    if before is None:
        return
    if _is_downgrade(order, before):
        new, old = order.manifest.version, before["version"]
        yield f"Version {new} is older than {old}, which was installed"
    author = order.manifest.author
    if author != before["author"]:
        yield f"The author was {before['author'] or 'unknown'} and is now {author or 'unknown'}"


def _described(order: _Order, directory: str, before: Row | None) -> dict[str, Any]:
    """The columns of the plugin that an installation replaces."""
    package, origin, manifest = order.package, order.origin, order.manifest
    described = {
        "version": manifest.version,
        "author": manifest.author,
        "directory": directory,
        "manifest": json.dumps(package.content.manifest, ensure_ascii=False, separators=(",", ":")),
        "source_feed_id": origin.feed_id,
        "source_name": origin.name,
        "channel": origin.channel or manifest.channel,
        "checksum": package.checksum,
        "package_version": origin.version or (package.metadata or manifest).version,
        "content_sha256": digests.of_content(package.content.files),
        "code_sha256": _code(order, before),
    }
    if before is None or before["code_sha256"] != described["code_sha256"]:
        described["tools"] = None
    if before is None or manifest.description is not None:
        described["description"] = manifest.description
    return described


def _code(order: _Order, before: Row | None) -> str | None:
    return code.permitted(
        order.package,
        is_allowed=order.choices.allow_code,
        allowed_sha256=order.choices.code_sha256,
        installed=before,
        home=order.home,
    )


def _save(tx: WriteTx, installation: Installation, columns: dict[str, Any]) -> None:
    plugin_id = installation.plugin_id
    if not installation.is_update:
        tx.insert(
            PluginRow,
            id=plugin_id,
            project_id=installation.project_id,
            name=installation.plugin_name,
            installed_at=tx.now,
            updated_at=tx.now,
            **columns,
        )
    else:
        tx.update(PluginRow, plugin_id, updated_at=tx.now, **columns)


def _result(installation: Installation, choices: Choices) -> dict[str, Any]:
    result = {
        "plugin_id": installation.plugin_id,
        "plugin_name": installation.plugin_name,
        **dict.fromkeys(COUNTERS, 0),
        **installation.counters,
        "warnings": installation.warnings,
    }
    if choices.dry_run:
        result |= {"dry_run": True, "changes": [asdict(item) for item in installation.changes]}
    return result


def _path(tx: ReadTx, project_id: str, text: str) -> Path:
    """Relative to the folder of the project, if it has one."""
    if "\0" in text:
        raise BadRequest("package_path is no path")
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise BadRequest("There is no such home directory") from None
    folder = tx.services.get(Projects).local_path(tx, project_id)
    if not path.is_absolute() and folder is None:
        raise BadRequest("package_path is relative, but the project has no local_path")
    return Path(os.path.normpath(Path(folder or "/", path)))
