"""What the person at the machine does to a registry, past all tokens; each step is in the log."""

import hashlib
import json
from pathlib import Path
from typing import Any

from kombuse_registry.names import split_name
from kombuse_registry.server import access, keys, releases, tokens
from kombuse_registry.server.audit import Origin, record
from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused, package_not_found
from kombuse_registry.server.registry import Registry

__all__ = [
    "add_key",
    "create_token",
    "list_keys",
    "list_tokens",
    "revoke_key",
    "revoke_token",
    "rotate_key",
    "unyank",
    "verify",
    "yank",
]

_ORIGIN = Origin(actor="command line")
_CHUNK = 1024 * 1024


def create_token(
    registry: Registry,
    account: str,
    *,
    name: str,
    scopes: list[str],
    packages: list[str],
    expires_at: str | None,
    cidrs: list[str],
) -> dict[str, Any]:
    """Makes the account too, and gives it the namespaces of the packages that nobody has.

    Raises Refused.
    """
    tokens.check_grant(scopes, packages, cidrs)
    with registry.db.write() as tx:
        identifier = access.account_id(tx, account, create=True)
        authors = {author for author, _ in map(split_name, packages) if author}
        claimed = [author for author in sorted(authors) if access.claim(tx, author, identifier)]
        made = tokens.create(
            tx,
            identifier,
            name=name,
            scopes=scopes,
            packages=packages,
            expires_at=tokens.expiry(expires_at),
            cidrs=cidrs,
        )
        detail = {"token": made["id"], "account": account, "scopes": scopes, "packages": packages}
        record(tx, _ORIGIN, "token.create", **detail)
    return {**made, "account": account, "namespaces": claimed}


def list_tokens(registry: Registry) -> list[dict[str, Any]]:
    sql = """
    SELECT t.id, t.name, a.name AS account, t.scopes, t.packages, t.cidrs, t.created_at,
        t.last_used_at, t.last_used_ip, t.expires_at, t.revoked_at
    FROM tokens t JOIN accounts a ON a.id = t.account_id ORDER BY t.created_at, t.id
    """
    with registry.db.read() as tx:
        rows = [dict(row) for row in tx.all(sql)]
    lists = ("scopes", "packages", "cidrs")
    return [row | {key: json.loads(row[key]) for key in lists} for row in rows]


def revoke_token(registry: Registry, identifier: str) -> None:
    """By its id or its whole text. Raises Refused 404."""
    identifier = tokens.token_id(identifier) or identifier
    with registry.db.write() as tx:
        if not tx.value("SELECT 1 FROM tokens WHERE id = ?", (identifier,)):
            raise Refused(404, "TOKEN_NOT_FOUND", "Token not found")
        if tokens.revoke(tx, identifier):
            record(tx, _ORIGIN, "token.revoke", token=identifier)


def yank(registry: Registry, name: str, version: str, reason: str) -> None:
    """`name` is `author/name`. Raises Refused 404 or 410."""
    with registry.db.write() as tx:
        releases.yank(tx, _ORIGIN, _package(tx, name), version, reason)


def unyank(registry: Registry, name: str, version: str) -> None:
    with registry.db.write() as tx:
        releases.unyank(tx, _ORIGIN, _package(tx, name), version)


def list_keys(registry: Registry) -> list[dict[str, Any]]:
    sql = """
    SELECT k.keyid, k.usage, a.name AS account, k.name, k.public_key, k.created_at, k.expires_at,
        k.revoked_at
    FROM keys k LEFT JOIN accounts a ON a.id = k.account_id ORDER BY k.created_at, k.keyid
    """
    with registry.db.read() as tx:
        return [dict(row) for row in tx.all(sql)]


def rotate_key(registry: Registry) -> str:
    """A new key signs from now on, of a running server as well."""
    with registry.db.write() as tx:
        keyid = registry.keys.rotate(tx)
        record(tx, _ORIGIN, "key.add", keyid=keyid, usage="registry")
    return keyid


def add_key(registry: Registry, account: str, public_key: str, name: str) -> dict[str, Any]:
    """A publisher's key. Raises Refused."""
    with registry.db.write() as tx:
        identifier = access.account_id(tx, account)
        made = keys.add_publisher_key(tx, identifier, public_key, name)
        record(tx, _ORIGIN, "key.add", keyid=made["keyid"], usage="publisher", account=account)
    return {**made, "account": account}


def revoke_key(registry: Registry, keyid: str) -> None:
    with registry.db.write() as tx:
        if not tx.value("SELECT 1 FROM keys WHERE keyid = ?", (keyid,)):
            raise Refused(404, "KEY_NOT_FOUND", "Key not found")
        if keys.revoke(tx, keyid):
            record(tx, _ORIGIN, "key.revoke", keyid=keyid)


def verify(registry: Registry) -> dict[str, Any]:
    """Reads every archive again and compares its digest with its name and with its row."""
    sql = """
    SELECT DISTINCT p.author || '/' || p.name || '@' || v.version, v.sha256
    FROM versions v JOIN packages p ON p.id = v.package_id
    WHERE v.removed_at IS NULL ORDER BY 1
    """
    with registry.db.read() as tx:
        known = [tuple(row) for row in tx.all(sql)]
    missing, damaged = [], []
    for version, sha256 in known:
        try:
            is_whole = _digest(registry.blobs.path(sha256)) == sha256
        except FileNotFoundError:
            missing.append(version)
            continue
        if not is_whole:
            damaged.append(version)
    orphans = set(registry.blobs.stored()) - {sha256 for _, sha256 in known}
    return {
        "versions": len(known),
        "missing": missing,
        "damaged": damaged,
        "orphans": len(orphans),
    }


def _package(tx: Tx, name: str) -> Any:
    row = tx.one("SELECT * FROM packages WHERE author || '/' || name = ?", (name,))
    if row is None:
        raise package_not_found()
    return row


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            digest.update(part)
    return digest.hexdigest()
