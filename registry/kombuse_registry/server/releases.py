"""Changes to what was published: withdrawn, warned of, removed, and where channels point."""

from datetime import UTC, datetime, timedelta
from typing import Any

from kombuse_registry import names
from kombuse_registry.server import queries
from kombuse_registry.server.audit import Origin, record
from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused, version_not_found
from kombuse_sdk.schemas import timestamp

__all__ = [
    "add_change",
    "deprecate",
    "existing",
    "move_tag",
    "purge",
    "refresh",
    "remove_tag",
    "set_status",
    "set_tag",
    "unyank",
    "yank",
]

_PURGE_HOURS = 72
_PURGE_DOWNLOADS = 10
# A version can be offered when it is neither withdrawn nor removed.
_OFFERED = "v.package_id = :package AND v.removed_at IS NULL AND v.yanked_reason IS NULL"
_LATEST = f"""
SELECT v.id FROM versions v WHERE {_OFFERED} AND v.is_prerelease = 0
AND (v.channel = 'stable' OR v.id = (
    SELECT version_id FROM dist_tags WHERE package_id = :package AND tag = 'stable'))
ORDER BY v.sort_key DESC, v.id DESC LIMIT 1
"""
_NEWEST = """
SELECT id FROM versions WHERE package_id = :package AND removed_at IS NULL
ORDER BY sort_key DESC, id DESC LIMIT 1
"""
_NEWEST_OF_CHANNEL = f"""
SELECT v.id FROM versions v WHERE {_OFFERED} AND v.channel = :tag
ORDER BY v.sort_key DESC, v.id DESC LIMIT 1
"""
_DESCRIBE = """
UPDATE packages SET
    latest_version = (SELECT version FROM versions WHERE id = :latest),
    described_by = :described,
    description = manifest ->> '$.description',
    keywords = ifnull(manifest -> '$.keywords', '[]'),
    homepage = manifest ->> '$.homepage',
    repository = manifest ->> '$.repository',
    license = manifest ->> '$.license',
    updated_at = :now
FROM (SELECT ifnull((SELECT manifest FROM versions WHERE id = :described), '{}') AS manifest)
WHERE packages.id = :package
"""
_SET_TAG = """
INSERT INTO dist_tags (package_id, tag, version_id) VALUES (?, ?, ?)
ON CONFLICT (package_id, tag) DO UPDATE SET version_id = excluded.version_id
"""


def add_change(tx: Tx, package: Any, kind: str, version: str | None = None) -> None:
    """One more entry of the list that mirrors follow."""
    tx.insert(
        "changes",
        author=package["author"],
        name=package["name"],
        version=version,
        type=kind,
        at=tx.now,
    )


def refresh(tx: Tx, package_id: int) -> None:
    """What lists and the search know of a package, after its versions or channels changed."""
    latest = tx.value(_LATEST, {"package": package_id})
    described = latest or tx.value(_NEWEST, {"package": package_id})
    tx.execute(
        _DESCRIBE,
        {"package": package_id, "latest": latest, "described": described, "now": tx.now},
    )
    tx.execute("DELETE FROM packages_text WHERE rowid = ?", (package_id,))
    tx.execute(
        """
        INSERT INTO packages_text (rowid, author, name, description, keywords)
        SELECT id, author, name, ifnull(description, ''), keywords FROM packages
        WHERE id = ? AND status <> 'quarantined'
        """,
        (package_id,),
    )


def existing(tx: Tx, package: Any, version: str) -> Any:
    """The row of a version that was not removed. Raises Refused 404 or 410."""
    row = queries.version_row(tx, package["id"], version)
    if row is None:
        raise version_not_found()
    if row["removed_at"]:
        raise Refused(410, "VERSION_REMOVED", "Version removed")
    return row


def yank(tx: Tx, origin: Origin, package: Any, version: str, reason: str) -> None:
    """No longer offered; who names exactly this version still gets it."""
    row = existing(tx, package, version)
    sql = "UPDATE versions SET yanked_reason = ?, yanked_at = ifnull(yanked_at, ?) WHERE id = ?"
    tx.execute(sql, (reason, tx.now, row["id"]))
    _lead_elsewhere(tx, package, row["id"])
    _changed(tx, origin, package, "yank", "yank", row["version"], reason=reason)


def unyank(tx: Tx, origin: Origin, package: Any, version: str) -> None:
    row = existing(tx, package, version)
    sql = "UPDATE versions SET yanked_reason = NULL, yanked_at = NULL WHERE id = ?"
    tx.execute(sql, (row["id"],))
    move_tag(tx, package["id"], row["channel"], row["id"], force=False)
    _changed(tx, origin, package, "unyank", "unyank", row["version"])


def deprecate(tx: Tx, origin: Origin, package: Any, version: str, message: str | None) -> None:
    row = existing(tx, package, version)
    tx.execute("UPDATE versions SET deprecated = ? WHERE id = ?", (message, row["id"]))
    _changed(tx, origin, package, "deprecate", "deprecate", row["version"], message=message)


def purge(tx: Tx, origin: Origin, package: Any, version: str) -> str | None:
    """Forget the content of a version, whose number stays taken for ever.

    The SHA-256 of the archive that nothing names any more. Raises Refused 409 to owners of what
    others use already.
    """
    row = existing(tx, package, version)
    if origin.caller is not None and not origin.caller.is_admin:
        youngest = timestamp(datetime.now(UTC) - timedelta(hours=_PURGE_HOURS))
        if row["published_at"] < youngest or row["downloads"] >= _PURGE_DOWNLOADS:
            text = (
                f"Only within {_PURGE_HOURS} hours and before {_PURGE_DOWNLOADS} downloads"
                " can a version be removed: yank it instead"
            )
            raise Refused(409, "PURGE_REFUSED", text)
    sql = "UPDATE versions SET removed_at = ?, readme = NULL, release_notes = NULL WHERE id = ?"
    tx.execute(sql, (tx.now, row["id"]))
    tx.execute("DELETE FROM version_files WHERE version_id = ?", (row["id"],))
    _lead_elsewhere(tx, package, row["id"])
    _changed(tx, origin, package, "purge", "remove", row["version"])
    others = "SELECT 1 FROM versions WHERE sha256 = ? AND removed_at IS NULL"
    return None if tx.value(others, (row["sha256"],)) else str(row["sha256"])


def set_status(tx: Tx, origin: Origin, package: Any, status: str, reason: str | None) -> None:
    """Raises Refused 403 when quarantine is asked for, or ended, by anybody but an admin."""
    is_admin = origin.caller is None or origin.caller.is_admin
    if "quarantined" in (status, package["status"]) and not is_admin:
        required = ["admin"]
        raise Refused(403, "INSUFFICIENT_SCOPE", "Token lacks scope admin", required=required)
    sql = "UPDATE packages SET status = ?, status_reason = ? WHERE id = ?"
    tx.execute(sql, (status, reason, package["id"]))
    refresh(tx, package["id"])
    detail = {"status": status, "reason": reason}
    record(tx, origin, "status.set", package["author"], package["name"], **detail)


def set_tag(tx: Tx, origin: Origin, package: Any, tag: str, version: str) -> None:
    """Raises Refused 400, 404 or 409."""
    if not names.is_channel(tag):
        raise Refused(400, "INVALID_NAME", "Invalid channel")
    row = existing(tx, package, version)
    if row["yanked_reason"] is not None:
        raise Refused(409, "VERSION_YANKED", f"Version {row['version']} is yanked")
    if tag == "stable" and row["is_prerelease"]:
        text = f"{row['version']} is a pre-release and cannot be stable"
        raise Refused(400, "PRERELEASE_ON_STABLE", text)
    tx.execute(_SET_TAG, (package["id"], tag, row["id"]))
    _changed(tx, origin, package, "tag.set", "tag", row["version"], tag=tag)


def remove_tag(tx: Tx, origin: Origin, package: Any, tag: str) -> None:
    if tag == "stable":
        raise Refused(409, "TAG_PROTECTED", "The channel stable cannot be deleted")
    sql = "DELETE FROM dist_tags WHERE package_id = ? AND tag = ?"
    if not tx.execute(sql, (package["id"], tag)):
        raise Refused(404, "TAG_NOT_FOUND", "Channel not found")
    _changed(tx, origin, package, "tag.delete", "tag", None, tag=tag)


def move_tag(tx: Tx, package_id: int, tag: str, version_id: int, *, force: bool) -> bool:
    """Let a channel point to a version; not to an older one than now, unless forced."""
    newer = """
    SELECT 1 FROM dist_tags d JOIN versions present ON present.id = d.version_id
    JOIN versions given ON given.id = ?
    WHERE d.package_id = ? AND d.tag = ? AND present.sort_key >= given.sort_key
    """
    if not force and tx.value(newer, (version_id, package_id, tag)):
        return False
    tx.execute(_SET_TAG, (package_id, tag, version_id))
    return True


def _lead_elsewhere(tx: Tx, package: Any, version_id: int) -> None:
    """Channels that pointed to a version that is no longer offered."""
    sql = "SELECT tag FROM dist_tags WHERE package_id = ? AND version_id = ?"
    for tag in tx.values(sql, (package["id"], version_id)):
        other = tx.value(_NEWEST_OF_CHANNEL, {"package": package["id"], "tag": tag})
        if other is None:
            sql = "DELETE FROM dist_tags WHERE package_id = ? AND tag = ?"
            tx.execute(sql, (package["id"], tag))
        else:
            tx.execute(_SET_TAG, (package["id"], tag, other))


def _changed(
    tx: Tx,
    origin: Origin,
    package: Any,
    action: str,
    kind: str,
    version: str | None,
    **detail: Any,
) -> None:
    refresh(tx, package["id"])
    add_change(tx, package, kind, version)
    record(tx, origin, action, package["author"], package["name"], version, **detail)
