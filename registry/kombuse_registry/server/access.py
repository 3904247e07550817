"""Who may do what to which package."""

import json
from dataclasses import dataclass
from typing import Any

from kombuse_registry import names
from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused, package_not_found
from kombuse_registry.server.tokens import Caller

__all__ = [
    "Publisher",
    "account_id",
    "check_name",
    "check_publisher",
    "claim",
    "owned",
    "require",
    "visible",
]

_RESERVED = frozenset({"-", "api", "admin", "kombuse"})
_PACKAGE = "SELECT * FROM packages WHERE author = ? AND name = ?"
_OWNS_NAMESPACE = "SELECT 1 FROM namespaces WHERE author = ? AND account_id = ?"
_OWNS_PACKAGE = "SELECT 1 FROM owners WHERE package_id = ? AND account_id = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Somebody who may publish: what is there already, and whether a namespace is to be claimed."""

    package: Any
    claims: bool


def require(caller: Caller | None, *scopes: str) -> Caller:
    """Raises Refused 401 without a token, 403 with one that lacks a scope."""
    if caller is None:
        challenge = 'Bearer realm="kombuse-registry", error="invalid_token"'
        raise Refused(401, "TOKEN_REQUIRED", "Token required", {"WWW-Authenticate": challenge})
    lacking = [scope for scope in scopes if not caller.has(scope)]
    if lacking:
        text = f"Token lacks scope {', '.join(lacking)}"
        raise Refused(403, "INSUFFICIENT_SCOPE", text, required=lacking)
    return caller


def check_name(author: str, name: str) -> None:
    if not names.is_author(author):
        raise Refused(400, "INVALID_NAME", "Invalid author")
    if not names.is_package(name):
        raise Refused(400, "INVALID_NAME", "Invalid package name")


def visible(tx: Tx, author: str, name: str) -> Any:
    """The row of a package that may be shown. Raises Refused 404, or 451 with the reason."""
    row = tx.one(_PACKAGE, (author, name))
    if row is None:
        raise package_not_found()
    if row["status"] == "quarantined":
        reason = f": {row['status_reason']}" if row["status_reason"] else ""
        text = f"Package {author}/{name} is quarantined and cannot be installed{reason}"
        raise Refused(451, "PACKAGE_QUARANTINED", text)
    return row


def owned(tx: Tx, caller: Caller | None, author: str, name: str, *scopes: str) -> Any:
    """The row of a package that the caller may change; a quarantined one is for admins."""
    caller = require(caller, *scopes)
    row = tx.one(_PACKAGE, (author, name))
    if row is None:
        raise package_not_found()
    if caller.is_admin:
        return row
    _check_reach(caller, author, name)
    is_owner = tx.value(_OWNS_PACKAGE, (row["id"], caller.account_id))
    if not is_owner and not tx.value(_OWNS_NAMESPACE, (author, caller.account_id)):
        raise Refused(403, "NOT_OWNER", f"{caller.account} does not own {author}/{name}")
    return visible(tx, author, name)


def check_publisher(
    tx: Tx,
    caller: Caller,
    author: str,
    name: str,
    *,
    digest: str | None,
    are_namespaces_open: bool,
) -> Publisher:
    """Raises Refused 403, or 409 for a package that takes no more versions.

    `digest` is what the upload says that it is. Whoever sends a version again, whose answer was
    lost, may do so with a token for first versions only.
    """
    row = tx.one(_PACKAGE, (author, name))
    if not caller.is_admin:
        _check_reach(caller, author, name)
    is_update = row is not None
    if is_update and caller.has("publish:new") and digest:
        again = "SELECT 1 FROM versions WHERE package_id = ? AND sha256 = ? AND published_by = ?"
        is_update = not tx.value(again, (row["id"], digest, caller.account))
    require(caller, "publish:update" if is_update else "publish:new")
    owner = tx.one("SELECT account_id FROM namespaces WHERE author = ?", (author,))
    claims = False
    if not caller.is_admin:
        is_owner = owner is not None and owner["account_id"] == caller.account_id
        if not is_owner and row is not None:
            is_owner = bool(tx.value(_OWNS_PACKAGE, (row["id"], caller.account_id)))
        claims = not is_owner and owner is None and row is None and are_namespaces_open
        if not is_owner and (not claims or author in _RESERVED):
            text = f"The namespace {author} does not belong to {caller.account}"
            raise Refused(403, "NAMESPACE_NOT_OWNED", text)
    if row is not None and row["status"] in ("archived", "quarantined"):
        text = f"Package {author}/{name} is {row['status']} and takes no new versions"
        raise Refused(409, f"PACKAGE_{row['status'].upper()}", text)
    return Publisher(package=row, claims=claims or (caller.is_admin and owner is None))


def claim(tx: Tx, author: str, account: int) -> bool:
    """Give a namespace that nobody has to an account."""
    sql = "INSERT OR IGNORE INTO namespaces (author, account_id, created_at) VALUES (?, ?, ?)"
    return bool(tx.execute(sql, (author, account, tx.now)))


def account_id(tx: Tx, name: str, *, create: bool = False) -> int:
    """Raises Refused 422 for an account that is not there and is not to be made."""
    found = tx.value("SELECT id FROM accounts WHERE name = ?", (name,))
    if found is not None:
        return int(found)
    if not create:
        raise Refused(422, "UNKNOWN_ACCOUNT", f"There is no account {json.dumps(name)[:120]}")
    if not names.is_author(name):
        raise Refused(400, "INVALID_NAME", "Invalid account name")
    return tx.insert("accounts", name=name, created_at=tx.now)


def _check_reach(caller: Caller, author: str, name: str) -> None:
    if not caller.reaches(f"{author}/{name}"):
        raise Refused(403, "PACKAGE_NOT_ALLOWED", f"Token is not for {author}/{name}")
