"""Keys: the registry's own, with which it signs, and those of publishers."""

from pathlib import Path
from threading import Lock
from typing import Any

from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused
from kombuse_registry.signing import (
    ALGORITHM,
    PrivateKey,
    keyid,
    public_key,
    publish_line,
    registry_line,
    verify,
)

__all__ = ["SigningKeys", "add_publisher_key", "check_publisher_signature", "revoke"]

_ACTIVE = """
SELECT keyid FROM keys WHERE usage = 'registry' AND expires_at IS NULL AND revoked_at IS NULL
ORDER BY created_at DESC, keyid LIMIT 1
"""
_PUBLISHER = """
SELECT public_key FROM keys
WHERE keyid = ? AND usage = 'publisher' AND account_id = ? AND revoked_at IS NULL
"""


class SigningKeys:
    """Private keys are files of their own, not rows: a copy of the database cannot sign."""

    def __init__(self, data: Path) -> None:
        self._folder = data / "keys"
        self._loaded: dict[str, PrivateKey] = {}
        self._lock = Lock()

    def rotate(self, tx: Tx, name: str = "registry") -> str:
        """Make a new key to sign with; the former ones stay listed, with the end of their use."""
        key = PrivateKey.generate()
        key.save(self._path(key.keyid))
        tx.execute(
            "UPDATE keys SET expires_at = ? WHERE usage = 'registry' AND expires_at IS NULL",
            (tx.now,),
        )
        tx.insert(
            "keys",
            keyid=key.keyid,
            usage="registry",
            name=name,
            public_key=key.public_text,
            created_at=tx.now,
        )
        return key.keyid

    def sign(self, tx: Tx, name: str, version: str, sha256: str) -> dict[str, str]:
        """The registry's signature of what is published at `tx.now`."""
        active = tx.value(_ACTIVE)
        if active is None:
            raise Refused(503, "NO_SIGNING_KEY", "The registry has no key to sign with")
        line = registry_line(name, version, sha256, tx.now)
        return {"keyid": active, "alg": ALGORITHM, "sig": self._key(active).sign(line)}

    def _key(self, identifier: str) -> PrivateKey:
        with self._lock:
            if identifier not in self._loaded:
                self._loaded[identifier] = PrivateKey.load(self._path(identifier))
            return self._loaded[identifier]

    def _path(self, identifier: str) -> Path:
        return self._folder / f"{identifier}.pem"


def add_publisher_key(tx: Tx, account: int, text: str, name: str) -> dict[str, Any]:
    """Raises Refused 400 for what is no key, 409 for one that is known."""
    try:
        identifier = keyid(public_key(text))
    except ValueError as error:
        raise Refused(400, "INVALID_KEY", f"public_key is {error}") from None
    if tx.value("SELECT 1 FROM keys WHERE keyid = ?", (identifier,)):
        raise Refused(409, "KEY_EXISTS", f"Key {identifier} is registered already")
    row = {"keyid": identifier, "public_key": text, "name": name, "created_at": tx.now}
    tx.insert("keys", usage="publisher", account_id=account, **row)
    return {**row, "alg": ALGORITHM, "usage": "publisher"}


def revoke(tx: Tx, identifier: str) -> bool:
    sql = "UPDATE keys SET revoked_at = ? WHERE keyid = ? AND revoked_at IS NULL"
    return bool(tx.execute(sql, (tx.now, identifier)))


def check_publisher_signature(
    tx: Tx, account: int, header: str | None, name: str, version: str, sha256: str, required: bool
) -> dict[str, str] | None:
    """The signature in the header X-Kombuse-Signature, if there is one. Raises Refused 422."""
    if header is None:
        if required:
            raise Refused(422, "SIGNATURE_REQUIRED", f"{name} takes signed versions only")
        return None
    parts = dict(part.strip().partition("=")[::2] for part in header.split(","))
    key = tx.value(_PUBLISHER, (parts.get("keyid", ""), account))
    if key is None:
        raise Refused(422, "UNKNOWN_KEY", "The key of the signature is not registered")
    line = publish_line(name, version, sha256)
    if parts.get("alg") != ALGORITHM or not verify(public_key(key), parts.get("sig", ""), line):
        raise Refused(422, "BAD_SIGNATURE", "The signature does not fit the upload")
    return {"keyid": parts["keyid"], "alg": ALGORITHM, "sig": parts["sig"], "usage": "publisher"}
