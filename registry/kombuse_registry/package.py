"""A package, read whole from its folder or archive and checked before anything is done with it."""

import errno
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from kombuse_registry import names, versions
from kombuse_registry.archive import (
    PLUGIN_JSON,
    Archive,
    ArchiveInfo,
    read_archive,
    write_archive,
)
from kombuse_registry.errors import InvalidPackage
from kombuse_registry.folder import read_folder
from kombuse_registry.manifest import (
    MANIFEST_JSON,
    PackageMetadata,
    PluginManifest,
    from_pyproject,
    json_bytes,
)
from kombuse_registry.presets import parse_preset, preset_type
from kombuse_sdk.agent_files import AgentFile, read_agent_files
from kombuse_sdk.errors import BadRequest
from kombuse_sdk.json_files import object_in
from kombuse_sdk.packages import PackageContent

__all__ = [
    "FILES",
    "MAX_TEXT",
    "MAX_TEXTS",
    "PYTHON",
    "Package",
    "PackageCode",
    "build",
    "digest_of",
    "read_archived_package",
    "read_package",
]

FILES = "files/"
PYTHON = "python/"
MAX_TEXT = 1024 * 1024
MAX_TEXTS = 20 * MAX_TEXT
"""Bytes below `files/`: of one, and of all."""

_PYPROJECT = "pyproject.toml"
# What a package.json of a JavaScript project says; it is none of ours.
_FOREIGN_TYPES = ("module", "commonjs")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageCode:
    """Python in a package: where it starts, what it says that it does, and what it is."""

    entry_point: str
    capabilities: tuple[str, ...]
    digest: str


@dataclass(frozen=True, kw_only=True)
class Package:
    """What is in a package, none of it believed before it was checked.

    `checksum` and `archive` are those of the archive that it was read from. Agent files are only
    checked when `agents` is asked for: whoever installs has a question to answer before that.
    """

    path: Path
    manifest: PluginManifest
    metadata: PackageMetadata | None
    content: PackageContent
    code: PackageCode | None
    archive: Archive | None
    executables: frozenset[str]
    warnings: tuple[str, ...]

    @property
    def checksum(self) -> str | None:
        return self.archive.checksum if self.archive else None

    @cached_property
    def agents(self) -> dict[str, AgentFile]:
        """By their paths; InvalidPackage names the first that is wrong, and why."""
        try:
            return read_agent_files(self.content.files)
        except BadRequest as error:
            raise InvalidPackage(error.message) from None


def read_package(path: Path) -> Package:
    """The package in a folder or .tar.gz.

    Raises InvalidPackage, InvalidArchive, UnsafeArchiveEntry, ArchiveTooLarge or OSError.
    """
    if _is_file(path):
        return read_archived_package(read_archive(path), path)
    if not _is_file(path / PLUGIN_JSON) and not _is_file(path / _PYPROJECT):
        raise _nothing(path)
    found = read_folder(path)
    return _package(path, found.files, None, found.executables)


def build(folder: Path, target: Path, replaced: Mapping[str, bytes] | None = None) -> ArchiveInfo:
    """Write the archive of a folder, or `<name>-<version>.tar.gz` when the target is a folder.

    It has the manifest.json that feeds need even if the folder has none, and files that are
    `replaced` instead of those of the folder. Equal folders make equal archives. The errors are
    those of `read_package`, agent files included.
    """
    package = read_package(folder)
    if package.archive is not None:
        raise InvalidPackage(f"{folder} is no folder")
    read_agent_files(package.content.files)
    files = dict(package.content.files) | dict(replaced or {})
    files.setdefault(MANIFEST_JSON, json_bytes(_metadata_of(package.manifest)))
    if target.is_dir():
        target /= f"{package.manifest.name}-{package.manifest.version}.tar.gz"
    return write_archive(
        files,
        target,
        _seconds(package.manifest.kombuse.exported_at),
        executables=package.executables,
    )


def read_archived_package(archive: Archive, path: Path) -> Package:
    """`path` is what messages name; an archive that a stranger sent has no other."""
    return _package(path, archive.files, archive, archive.executables)


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and contents; the lengths between them keep two folders apart."""
    digest = hashlib.sha256()
    for path in sorted(files, key=str.encode):
        name = path.encode()
        digest.update(b"%d %d\n%b%b" % (len(name), len(files[path]), name, files[path]))
    return digest.hexdigest()


def _package(
    path: Path, files: Mapping[str, bytes], archive: Archive | None, executables: frozenset[str]
) -> Package:
    described = _described(files) if archive is None else None
    if described is not None:
        files = dict(files) | described
        files = {name: files[name] for name in sorted(files, key=str.encode)}
    if PLUGIN_JSON not in files:
        raise _nothing(path)
    manifest = PluginManifest.from_json(files[PLUGIN_JSON])
    _check_type(files.get("package.json"))
    _check_texts(files)
    metadata, doubts = _metadata(files.get(MANIFEST_JSON))
    return Package(
        path=path,
        manifest=manifest,
        metadata=metadata,
        content=PackageContent(manifest=manifest.stored(), files=files),
        code=_code(manifest, files),
        archive=archive,
        executables=executables,
        warnings=(*_warnings(manifest, metadata, files), *doubts),
    )


def _described(files: Mapping[str, bytes]) -> dict[str, bytes] | None:
    """The two JSON files as pyproject.toml describes them, when the folder has no plugin.json."""
    if PLUGIN_JSON in files or _PYPROJECT not in files:
        return None
    found = from_pyproject(files[_PYPROJECT])
    if found is None:
        return None
    plugin, metadata = found
    return {PLUGIN_JSON: json_bytes(plugin), MANIFEST_JSON: json_bytes(metadata)}


def _is_file(path: Path) -> bool:
    """Whether it is one, and not that its name is too long to ask for."""
    try:
        return path.is_file()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def _nothing(path: Path) -> InvalidPackage:
    return InvalidPackage(f"No plugin.json found at {path / PLUGIN_JSON}")


def _metadata_of(manifest: PluginManifest) -> dict[str, str]:
    """A manifest.json that says what plugin.json says."""
    told = {"name": manifest.name, "version": manifest.version, "type": "plugin"}
    optional = {
        "author": manifest.author,
        "description": manifest.description,
        "channel": manifest.channel,
    }
    return told | {key: value for key, value in optional.items() if value is not None}


def _seconds(moment: str | None) -> int:
    """A time in ISO 8601 as seconds since 1970; 0 for what is none."""
    try:
        return max(0, int(datetime.fromisoformat(moment or "").timestamp()))
    except (ValueError, OverflowError):
        return 0


def _check_type(package_json: bytes | None) -> None:
    kind = object_in(package_json).get("type")
    if isinstance(kind, str) and kind not in ("", "plugin", *_FOREIGN_TYPES):
        raise InvalidPackage(f'Package type "{kind}" is not installable as a plugin')


def _check_texts(files: Mapping[str, bytes]) -> None:
    total = 0
    for path in files:
        if not path.startswith(FILES):
            continue
        content = files[path]
        total += len(content)
        if len(content) > MAX_TEXT:
            raise InvalidPackage(f"Invalid package: {path} has more than {MAX_TEXT} bytes")
        if total > MAX_TEXTS:
            raise InvalidPackage(f"Invalid package: files/ has more than {MAX_TEXTS} bytes")
        try:
            content.decode()
        except UnicodeDecodeError:
            raise InvalidPackage(f"Invalid package: {path} is no UTF-8 text") from None
        place = path.removeprefix(FILES)
        if preset_type(place) is not None:
            parse_preset(place, content)


def _metadata(data: bytes | None) -> tuple[PackageMetadata | None, tuple[str, ...]]:
    """Feeds need manifest.json, an installation does not: what is wrong with it is a warning."""
    if data is None:
        return None, ()
    try:
        return PackageMetadata.from_json(data), ()
    except InvalidPackage as error:
        return None, (error.message,)


def _code(manifest: PluginManifest, files: Mapping[str, bytes]) -> PackageCode | None:
    if manifest.entry_point is None:
        return None
    module = PYTHON + manifest.entry_point.replace(".", "/")
    if f"{module}.py" not in files and f"{module}/__init__.py" not in files:
        raise InvalidPackage(
            f"Invalid plugin.json: entry_point: there is no {module}.py or {module}/__init__.py"
        )
    return PackageCode(
        entry_point=manifest.entry_point,
        capabilities=tuple(manifest.capabilities),
        digest=digest_of({path: files[path] for path in files if path.startswith(PYTHON)}),
    )


def _warnings(
    manifest: PluginManifest, metadata: PackageMetadata | None, files: Mapping[str, bytes]
) -> list[str]:
    found = []
    if versions.parse(manifest.version) is None:
        found.append(f'Version "{manifest.version}" is no semantic version such as 1.2.3')
    if metadata and (metadata.name, metadata.version) != (manifest.name, manifest.version):
        found.append(
            f"manifest.json says {metadata.name} {metadata.version},"
            f" plugin.json says {manifest.name} {manifest.version}"
        )
    if manifest.author is not None and not names.is_author(manifest.author):
        found.append(f'Nothing can be published by the author "{manifest.author}"')
    if manifest.entry_point is None and any(path.startswith(PYTHON) for path in files):
        found.append("The Python in python/ is not used: plugin.json has no entry_point")
    return found
