"""One version more: the checks that need the database, and the transaction that publishes it."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kombuse_registry import names, versions
from kombuse_registry.manifest import PackageMetadata
from kombuse_registry.server import access, releases
from kombuse_registry.server.audit import Origin, record
from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused
from kombuse_registry.server.inspection import Inspected
from kombuse_registry.server.keys import SigningKeys, check_publisher_signature
from kombuse_registry.server.ordering import sort_key
from kombuse_registry.server.tokens import Caller
from kombuse_registry.server.uploads import Upload
from kombuse_sdk.schemas import timestamp

__all__ = ["Release", "check", "choose_channel", "forget_idempotency_keys", "preview", "publish"]

_STABLE, _NEXT = "stable", "next"
_KEPT_HOURS = 24
_EXISTING = """
SELECT v.* FROM versions v JOIN packages p ON p.id = v.package_id
WHERE p.author = ? AND p.name = ? AND v.version = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Everything that is known of an upload before the database is asked."""

    author: str
    name: str
    caller: Caller
    origin: Origin
    upload: Upload
    inspected: Inspected
    channel: str
    force_tag: bool
    signature: str | None
    release_notes: str | None
    idempotency_key: str | None
    are_namespaces_open: bool

    @property
    def full_name(self) -> str:
        return f"{self.author}/{self.name}"

    @property
    def version(self) -> str:
        return self.inspected.metadata.version

    @property
    def parsed(self) -> versions.Version:
        version = versions.parse(self.version)
        assert version is not None
        return version


def choose_channel(metadata: PackageMetadata, asked: str | None) -> str:
    """Raises Refused 400 for a pre-release that is to be stable."""
    wanted = asked or metadata.channel
    if wanted is not None and not names.is_channel(wanted):
        raise Refused(400, "INVALID_NAME", "Invalid channel")
    version = versions.parse(metadata.version)
    if version is None or not version.is_prerelease:
        return wanted or _STABLE
    if wanted == _STABLE:
        text = f"{metadata.version} is a pre-release and cannot be published as stable"
        raise Refused(400, "PRERELEASE_ON_STABLE", text)
    return wanted or _NEXT


def check(tx: Tx, release: Release) -> dict[str, Any] | None:
    """What was published if these bytes were before; None if they may be published now.

    Raises Refused 400, 403, 409 or 422.
    """
    _check_signature(tx, release)
    publisher = _publisher(tx, release)
    if publisher.package and publisher.package["type"] != release.inspected.metadata.type:
        text = f"{release.full_name} is of the type {publisher.package['type']}"
        raise Refused(409, "TYPE_MISMATCH", text)
    _check_idempotency_key(tx, release)
    row = tx.one(_EXISTING, (release.author, release.name, release.version))
    if row is None:
        return None
    if row["sha256"] != release.upload.sha256 or row["removed_at"]:
        text = f"Version {release.version} of {release.full_name} already exists"
        raise Refused(409, "VERSION_EXISTS", text, checksum=row["sha256"])
    return _published(release, row["channel"], dict(row), [])


def preview(tx: Tx, release: Release) -> dict[str, Any]:
    """What would be published; nothing is."""
    row = {"published_at": tx.now, "published_by": release.caller.account, "signatures": "[]"}
    return _published(release, release.channel, row, _warnings(tx, release)) | {"dry_run": True}


def publish(tx: Tx, keys: SigningKeys, release: Release) -> tuple[dict[str, Any], bool]:
    """What was published, and whether it was now. Its archive is in its place already."""
    before = check(tx, release)
    if before is not None:
        return before, False
    publisher = _publisher(tx, release)
    if publisher.claims:
        access.claim(tx, release.author, release.caller.account_id)
    warnings = _warnings(tx, release)
    package_id = publisher.package["id"] if publisher.package else _add_package(tx, release)
    signatures = [keys.sign(tx, release.full_name, release.version, release.upload.sha256)]
    publisher_signature = _check_signature(tx, release)
    if publisher_signature:
        signatures.append(publisher_signature)
    row = _add_version(tx, release, package_id, signatures)
    releases.move_tag(tx, package_id, row["channel"], row["id"], force=release.force_tag)
    releases.refresh(tx, package_id)
    package = {"author": release.author, "name": release.name}
    releases.add_change(tx, package, "publish", release.version)
    detail = {"sha256": release.upload.sha256, "channel": row["channel"]}
    record(tx, release.origin, "publish", release.author, release.name, release.version, **detail)
    if release.idempotency_key:
        tx.execute(
            "INSERT OR IGNORE INTO idempotency_keys VALUES (?, ?, ?, ?)",
            (release.caller.account_id, release.idempotency_key, release.upload.sha256, tx.now),
        )
    return _published(release, row["channel"], row, warnings), True


def forget_idempotency_keys(tx: Tx) -> None:
    oldest = timestamp(datetime.now(UTC) - timedelta(hours=_KEPT_HOURS))
    tx.execute("DELETE FROM idempotency_keys WHERE created_at < ?", (oldest,))


def _publisher(tx: Tx, release: Release) -> access.Publisher:
    """Again, with what is in the transaction: much may have changed since the upload began."""
    return access.check_publisher(
        tx,
        release.caller,
        release.author,
        release.name,
        digest=release.upload.sha256,
        are_namespaces_open=release.are_namespaces_open,
    )


def _check_signature(tx: Tx, release: Release) -> dict[str, str] | None:
    sql = "SELECT require_signature FROM packages WHERE author = ? AND name = ?"
    return check_publisher_signature(
        tx,
        release.caller.account_id,
        release.signature,
        release.full_name,
        release.version,
        release.upload.sha256,
        bool(tx.value(sql, (release.author, release.name))),
    )


def _check_idempotency_key(tx: Tx, release: Release) -> None:
    sql = "SELECT sha256 FROM idempotency_keys WHERE account_id = ? AND key = ?"
    known = tx.value(sql, (release.caller.account_id, release.idempotency_key))
    if known is not None and known != release.upload.sha256:
        text = "This Idempotency-Key was used for another upload"
        raise Refused(422, "IDEMPOTENCY_KEY_REUSED", text)


def _warnings(tx: Tx, release: Release) -> list[str]:
    found = list(release.inspected.warnings)
    sql = "SELECT latest_version FROM packages WHERE author = ? AND name = ?"
    latest = tx.value(sql, (release.author, release.name))
    if latest and versions.is_newer(latest, release.version):
        found.append(f"{release.version} is lower than the latest version, {latest}")
    return found


def _add_package(tx: Tx, release: Release) -> int:
    package_id = tx.insert(
        "packages",
        author=release.author,
        name=release.name,
        type=release.inspected.metadata.type,
        created_at=tx.now,
        updated_at=tx.now,
    )
    tx.insert("owners", package_id=package_id, account_id=release.caller.account_id)
    return package_id


def _add_version(
    tx: Tx, release: Release, package_id: int, signatures: list[dict[str, str]]
) -> dict[str, Any]:
    upload, inspected = release.upload, release.inspected
    row: dict[str, Any] = {
        "package_id": package_id,
        "version": release.version,
        "sort_key": sort_key(release.parsed),
        "is_prerelease": int(release.parsed.is_prerelease),
        "channel": release.channel,
        "sha256": upload.sha256,
        "sha512": upload.sha512,
        "integrity": upload.integrity,
        "size": upload.size,
        "manifest": inspected.manifest,
        "release_notes": release.release_notes or inspected.metadata.release_notes,
        "readme": inspected.readme,
        "min_kombuse_version": inspected.metadata.min_runtime_version,
        "signatures": json.dumps(signatures),
        "published_at": tx.now,
        "published_by": release.caller.account,
    }
    row["id"] = tx.insert("versions", **row)
    tx.many(
        "INSERT INTO version_files VALUES (?, ?, ?, ?)",
        [(row["id"], file.path, file.size, file.sha256) for file in inspected.files],
    )
    return row


def _published(
    release: Release, channel: str, row: dict[str, Any], warnings: list[str]
) -> dict[str, Any]:
    upload = release.upload
    return {
        "author": release.author,
        "name": release.name,
        "version": release.version,
        "channel": channel,
        "type": release.inspected.metadata.type,
        "checksum": upload.sha256,
        "integrity": upload.integrity,
        "size": upload.size,
        "download_url": f"/api/pkg/{release.full_name}/versions/{release.version}/download",
        "published_at": row["published_at"],
        "published_by": row["published_by"],
        "signatures": json.loads(row["signatures"]),
        "warnings": warnings,
    }
