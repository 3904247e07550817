"""Checks of downloaded bytes against the hashes and signatures that were announced for them."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from kombuse_registry import signing
from kombuse_registry.errors import IntegrityError
from kombuse_registry.transport import Downloaded
from kombuse_sdk.feeds import PackageVersion

__all__ = ["check_hashes", "check_signed", "checksum_of", "is_good_at", "listed_keys"]

_HEX = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)


def checksum_of(text: str) -> str:
    """Lower-case hex of hex, `sha256:<hex>` or SRI; other text stays, and matches nothing."""
    match = _HEX.fullmatch(text.strip())
    if match:
        return match[1].lower()
    algorithm, _, encoded = text.strip().partition("-")
    try:
        return base64.b64decode(encoded, validate=True).hex() if algorithm == "sha256" else text
    except (binascii.Error, ValueError):
        return text


def check_hashes(version: PackageVersion, downloaded: Downloaded) -> None:
    """Raises IntegrityError when checksum or integrity, as far as announced, do not fit."""
    if version.checksum and version.checksum != downloaded.sha256:
        raise IntegrityError.mismatch(version.checksum, downloaded.sha256)
    expected = _sri(version.integrity or "").get("sha512", set())
    got = base64.b64encode(downloaded.sha512).decode()
    if expected and got not in expected:
        raise IntegrityError.mismatch(min(expected), got)


def check_signed(version: PackageVersion, sha256: str, keys: Mapping[str, str]) -> None:
    """One signature by one of the keys (base64 by keyid) must be right; else IntegrityError."""
    line = signing.registry_line(version.name, version.version, sha256, version.published_at or "")
    for signature in version.signatures:
        key = keys.get(signature.get("keyid", ""))
        if key and signing.verify(signing.public_key(key), signature.get("sig", ""), line):
            return
    raise IntegrityError(f"{version.name}@{version.version} is not signed by a known key")


def listed_keys(listed: Any) -> dict[str, Mapping[str, Any]]:
    """The registry's own keys among those that it lists, by keyid.

    A revoked key is good for nothing: who has it can also write an older time.
    """
    found = {}
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, Mapping) or entry.get("usage", "registry") != "registry":
            continue
        try:
            keyid = signing.keyid(signing.public_key(str(entry.get("public_key"))))
        except ValueError:
            continue
        if entry.get("keyid") == keyid and not entry.get("revoked_at"):
            found[keyid] = entry
    return found


def is_good_at(key: Mapping[str, Any], time: str | None) -> bool:
    """Whether a listed key had not expired; unreadable times never suit a key that expires."""
    if not key.get("expires_at"):
        return True
    try:
        return datetime.fromisoformat(time or "") <= datetime.fromisoformat(key["expires_at"])
    except (TypeError, ValueError):
        return False


def _sri(text: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for part in text.split():
        algorithm, _, encoded = part.partition("-")
        found.setdefault(algorithm, set()).add(encoded.partition("?")[0])
    return found
