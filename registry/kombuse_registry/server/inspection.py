"""What an uploaded archive is, after all that can be wrong with it was looked for."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kombuse_registry import versions
from kombuse_registry.archive import LIMITS, PLUGIN_JSON, Archive, read_archive
from kombuse_registry.errors import (
    ArchiveTooLarge,
    InvalidArchive,
    InvalidPackage,
    UnsafeArchiveEntry,
)
from kombuse_registry.lint import lint
from kombuse_registry.manifest import MANIFEST_JSON, PackageMetadata
from kombuse_registry.package import read_archived_package
from kombuse_registry.secret_scan import find_secrets
from kombuse_registry.server.errors import Refused
from kombuse_sdk.errors import issue

__all__ = ["Inspected", "StoredFile", "inspect", "read_files"]

_ROOTS = (PLUGIN_JSON, MANIFEST_JSON)
_READMES = ("readme.md", "readme", "readme.txt")
_LONGEST_README = 512 * 1024
_DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """`manifest` is the text of manifest.json as an object, whatever else is in it."""

    metadata: PackageMetadata
    manifest: str
    readme: str | None
    files: tuple[StoredFile, ...]
    warnings: tuple[str, ...]


def inspect(
    path: Path, author: str, name: str, *, allow_secrets: bool, most: int = LIMITS.packed
) -> Inspected:
    """Checks from the outside to the inside; Refused 422 or 413 tells the first that failed."""
    archive = _archive(path, most)
    data = archive.files.get(MANIFEST_JSON)
    metadata = _metadata(data)
    told = metadata.author or author
    if (told, metadata.name) != (author, name):
        found = f"{told}/{metadata.name}"
        text = f"The manifest is of {found}, not of {author}/{name}"
        raise Refused(422, "IDENTITY_MISMATCH", text)
    if not versions.is_version(metadata.version):
        text = f"{metadata.version} is no semantic version such as 1.2.3"
        raise Refused(422, "INVALID_VERSION", text)
    warnings = _plugin_warnings(archive, metadata) if metadata.type == "plugin" else []
    secrets = [] if allow_secrets else find_secrets(archive.files)
    if secrets:
        text = f"Looks like a secret: {secrets[0]}"
        raise Refused(422, "SECRET_FOUND", text, secrets=[str(secret) for secret in secrets])
    return Inspected(
        metadata=metadata,
        manifest=_manifest_text(data or b""),
        readme=_readme(archive.files),
        files=tuple(
            StoredFile(path=file, size=len(content), sha256=hashlib.sha256(content).hexdigest())
            for file, content in archive.files.items()
        ),
        warnings=tuple(warnings),
    )


def read_files(path: Path) -> Mapping[str, bytes]:
    """The files of an archive that was inspected when it came."""
    return read_archive(path, roots=_ROOTS).files


def _archive(path: Path, most: int) -> Archive:
    try:
        return read_archive(path, replace(LIMITS, packed=most), _ROOTS)
    except ArchiveTooLarge as error:
        raise Refused(413, error.code, error.message, limit=most) from None
    except (InvalidArchive, UnsafeArchiveEntry) as error:
        raise Refused(422, error.code, error.message) from None


def _metadata(data: bytes | None) -> PackageMetadata:
    if data is None:
        text = f"There is no {MANIFEST_JSON}"
        raise Refused(422, "INVALID_MANIFEST", text, issues=[issue("custom", [], text)])
    try:
        return PackageMetadata.from_json(data)
    except InvalidPackage as error:
        raise Refused(422, "INVALID_MANIFEST", error.message, issues=error.issues) from None


def _manifest_text(data: bytes) -> str:
    """Readers of JSON differ in how deep it may be nested, SQLite's among them."""
    value = json.loads(data.decode("utf-8-sig"))
    level, depth = [value], 0
    while level:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    if depth > _DEEPEST:
        text = f"Invalid {MANIFEST_JSON}: it is nested too deep"
        raise Refused(422, "INVALID_MANIFEST", text, issues=[issue("custom", [], text)])
    return json.dumps(value, ensure_ascii=False)


def _plugin_warnings(archive: Archive, metadata: PackageMetadata) -> list[str]:
    try:
        package = read_archived_package(archive, Path())
        found = (package.manifest.name, package.manifest.version)
        if found != (metadata.name, metadata.version):
            text = (
                f"plugin.json is of {found[0]} {found[1]},"
                f" manifest.json of {metadata.name} {metadata.version}"
            )
            raise Refused(422, "IDENTITY_MISMATCH", text)
        return lint(package)
    except InvalidPackage as error:
        raise Refused(422, "INVALID_PACKAGE", error.message, issues=error.issues) from None


def _readme(files: Mapping[str, bytes]) -> str | None:
    for path in files:
        if path.lower() in _READMES:
            text = files[path][:_LONGEST_README].decode(errors="replace")
            return text.replace("\0", "")
    return None
