"""Application packages, and a registry on loopback that offers them."""

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.registry.stand_in_feed import Reply, StandIn

from kombuse_registry import signing
from kombuse_registry.archive import write_archive

__all__ = ["KEY", "PUBLISHED", "VERSIONS", "download_of", "listed", "offer", "package"]

KEY = signing.PrivateKey.generate()
NAME = "kombuse/kombuse"
PUBLISHED = "2026-05-01T10:00:00.000Z"
VERSIONS = f"/api/pkg/{NAME}/versions?include_yanked=true"


def package(
    version: str = "9.0.0",
    *,
    says: str | None = None,
    manifest: Mapping[str, Any] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """`says` is what its server prints as its version."""
    about = {"version": version, "files": {"server": "server"}} | dict(manifest or {})
    content = {
        "package/manifest.json": json.dumps(about).encode(),
        "package/server/__main__.py": f"print('kombuse {says or version}')\n".encode(),
        **(files or {}),
    }
    with tempfile.TemporaryDirectory() as folder:
        return write_archive(content, Path(folder) / "package.tar.gz").path.read_bytes()


def download_of(version: str) -> str:
    return f"/api/pkg/{NAME}/versions/{version}/download"


def listed(version: str, data: bytes, **more: Any) -> dict[str, Any]:
    """An entry of the registry's list, signed."""
    checksum = hashlib.sha256(data).hexdigest()
    line = signing.registry_line(NAME, version, checksum, PUBLISHED)
    signature = {"keyid": KEY.keyid, "alg": "ed25519", "sig": KEY.sign(line)}
    return {
        "version": version,
        "channel": "stable",
        "type": "app",
        "archive_size": len(data),
        "checksum": checksum,
        "release_notes": f"What is new in {version}",
        "published_at": PUBLISHED,
        "download_url": download_of(version),
        "signatures": [signature],
    } | more


def offer(stand_in: StandIn, *versions: str, **more: Any) -> None:
    """Good packages; `more` changes every entry."""
    data = {version: package(version) for version in versions}
    stand_in.answers[VERSIONS] = Reply(
        json={"versions": [listed(version, data[version], **more) for version in versions]}
    )
    for version in versions:
        stand_in.answers[download_of(version)] = Reply(body=data[version])
