"""Tokens: `kmb_<id>_<secret>_<check>`, of which the registry keeps no more than a digest."""

import hashlib
import hmac
import ipaddress
import json
import re
import secrets
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused
from kombuse_sdk.schemas import timestamp

__all__ = [
    "DEFAULT_DAYS",
    "LONGEST_DAYS",
    "SCOPES",
    "Caller",
    "check_grant",
    "create",
    "expiry",
    "find",
    "revoke",
    "token_id",
]

DEFAULT_DAYS = 90
LONGEST_DAYS = 365
SCOPES = (
    "read",
    "publish:new",
    "publish:update",
    "yank",
    "tags",
    "owners",
    "tokens",
    "audit",
    "admin",
)
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_BYTES = 32
_SECRET_DIGITS = 43
_TOKEN = re.compile(r"kmb_([0-9A-Za-z]{8})_([0-9A-Za-z]{43})_([0-9A-Za-z]{6})", re.ASCII)
_PATTERN = re.compile(r"\*|[a-z0-9-]{1,100}/(?:\*|[a-z0-9-]{1,100}\*?)", re.ASCII)
_NOBODY = "0" * 64
_ROW = """
SELECT t.*, a.name AS account FROM tokens t JOIN accounts a ON a.id = t.account_id WHERE t.id = ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose token came with a request, and what it is good for."""

    account_id: int
    account: str
    token_id: str
    scopes: frozenset[str]
    packages: tuple[str, ...]
    expires_at: str

    @property
    def is_admin(self) -> bool:
        return "admin" in self.scopes

    def has(self, *scopes: str) -> bool:
        return self.is_admin or self.scopes.issuperset(scopes)

    def reaches(self, name: str) -> bool:
        """Whether the token is for this package, `author/name`."""
        return any(_covers(pattern, name) for pattern in self.packages)


def create(
    tx: Tx,
    account_id: int,
    *,
    name: str,
    scopes: list[str],
    packages: list[str],
    expires_at: str,
    cidrs: list[str] | None = None,
) -> dict[str, Any]:
    """The new token with its text, which nobody can see a second time."""
    identifier = "".join(secrets.choice(_DIGITS) for _ in range(8))
    secret = _base62(int.from_bytes(secrets.token_bytes(_SECRET_BYTES)), _SECRET_DIGITS)
    row: dict[str, Any] = {
        "id": identifier,
        "name": name,
        "scopes": scopes,
        "packages": packages,
        "expires_at": expires_at,
        "created_at": tx.now,
    }
    lists = {"scopes": scopes, "packages": packages, "cidrs": cidrs or []}
    tx.insert(
        "tokens",
        **row | {key: json.dumps(value) for key, value in lists.items()},
        account_id=account_id,
        secret_sha256=_digest(secret),
    )
    return row | {"token": f"kmb_{identifier}_{secret}_{_check(identifier, secret)}"}


def find(tx: Tx, text: str, address: str) -> Caller:
    """Who comes with this token from this address. Raises Refused 401 or 403.

    An unknown id takes as long as a wrong secret: a digest is compared either way.
    """
    match = _TOKEN.fullmatch(text)
    identifier, secret, check = match.groups() if match else ("", "", "")
    row = tx.one(_ROW, (identifier,))
    is_right = hmac.compare_digest(row["secret_sha256"] if row else _NOBODY, _digest(secret))
    if not (row and is_right and hmac.compare_digest(check, _check(identifier, secret))):
        raise _invalid("Invalid token")
    if row["revoked_at"]:
        raise _invalid("Token was revoked")
    if row["expires_at"] <= tx.now:
        raise _invalid("Token has expired")
    if not _is_within(address, json.loads(row["cidrs"])):
        raise Refused(403, "ADDRESS_NOT_ALLOWED", "Token may not be used from this address")
    return Caller(
        account_id=row["account_id"],
        account=row["account"],
        token_id=row["id"],
        scopes=frozenset(json.loads(row["scopes"])),
        packages=tuple(json.loads(row["packages"])),
        expires_at=row["expires_at"],
    )


def token_id(text: str) -> str | None:
    """The id in a token that was written without a mistake; says nothing about its secret."""
    match = _TOKEN.fullmatch(text)
    return match[1] if match and match[3] == _check(match[1], match[2]) else None


def revoke(tx: Tx, identifier: str) -> bool:
    sql = "UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
    return bool(tx.execute(sql, (tx.now, identifier)))


def expiry(text: str | None, now: datetime | None = None) -> str:
    """When a new token ends. Raises Refused 400 for what is past, too late or no time."""
    now = now or datetime.now(UTC)
    if text is None:
        return timestamp(now + timedelta(days=DEFAULT_DAYS))
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        is_good = now < moment <= now + timedelta(days=LONGEST_DAYS, minutes=1)
    except (ValueError, OverflowError):
        is_good = False
    if not is_good:
        message = f"expires_at must be a time within the next {LONGEST_DAYS} days"
        raise Refused(400, "INVALID_EXPIRY", message)
    return timestamp(moment)


def check_grant(
    scopes: list[str], packages: list[str], cidrs: list[str], giver: Caller | None = None
) -> None:
    """Raises Refused 400 for nonsense, 403 for more than the giver has; None may give all."""
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise Refused(400, "INVALID_SCOPE", f"Scopes are {', '.join(SCOPES)}")
    if not packages or not all(map(_PATTERN.fullmatch, packages)):
        message = "Packages are author/name, author/*, author/prefix* or *"
        raise Refused(400, "INVALID_PACKAGES", message)
    try:
        for cidr in cidrs:
            ipaddress.ip_network(cidr)
    except ValueError:
        raise Refused(400, "INVALID_CIDR", "cidrs are networks such as 192.0.2.0/24") from None
    if giver is None:
        return
    lacking = [scope for scope in scopes if not giver.has(scope)]
    if lacking:
        text = f"Token lacks scope {', '.join(lacking)}"
        raise Refused(403, "INSUFFICIENT_SCOPE", text, required=lacking)
    if not all(any(_covers(own, wanted) for own in giver.packages) for wanted in packages):
        raise Refused(403, "PACKAGE_NOT_ALLOWED", "Token is not for these packages")


def _covers(pattern: str, name: str) -> bool:
    """Whether all that `name` stands for, be it a pattern as well, is in the pattern."""
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern


def _is_within(address: str, cidrs: list[str]) -> bool:
    if not cidrs:
        return True
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(cidr) for cidr in cidrs)


def _invalid(text: str) -> Refused:
    challenge = 'Bearer realm="kombuse-registry", error="invalid_token"'
    return Refused(401, "INVALID_TOKEN", text, {"WWW-Authenticate": challenge})


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(identifier: str, secret: str) -> str:
    return _base62(zlib.crc32(f"kmb_{identifier}_{secret}".encode()), 6)


def _base62(number: int, width: int) -> str:
    found = ""
    for _ in range(width):
        number, digit = divmod(number, 62)
        found = _DIGITS[digit] + found
    return found
