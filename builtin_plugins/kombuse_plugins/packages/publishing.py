"""Publishing: an export that is made aside, packed, and sent to a registry."""

import asyncio
import json
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from kombuse_plugins.packages import credentials, draft, export, queries
from kombuse_plugins.packages.draft import Draft
from kombuse_plugins.packages.places import project_of
from kombuse_plugins.packages.remote_schemas import PublishBody
from kombuse_plugins.packages.schemas import ExportBody
from kombuse_registry.archive import write_archive
from kombuse_registry.client import RegistryClient
from kombuse_registry.manifest import MANIFEST_JSON, json_bytes
from kombuse_registry.signing import PrivateKey
from kombuse_sdk.storage import ReadTx
from kombuse_sdk.types import Kernel

__all__ = ["run"]


async def run(kernel: Kernel, body: PublishBody) -> dict[str, Any]:
    """The project's own package folder is read, never written."""
    wanted = ExportBody(
        **{
            name: value
            for name, value in body.changes().items()
            if name in ExportBody.model_fields and name != "overwrite"
        }
    )

    def collect(tx: ReadTx) -> tuple[Draft, list[str]]:
        project_id = project_of(tx, body.project_id)
        edited = queries.edited_files(tx, project_id, body.package_name)
        return draft.collect(tx, wanted, project_id), edited

    found, edited = await kernel.db.read_async(collect)
    warnings = [*found.export.warnings, *(f"{path} was edited here" for path in edited)]
    key = credentials.publisher_key(kernel.config.home) if body.sign else None
    return await asyncio.to_thread(_publish, body, found, key, warnings)


def _publish(
    body: PublishBody, found: Draft, key: PrivateKey | None, warnings: list[str]
) -> dict[str, Any]:
    files, exported_at = export.merged(found, overwrite=body.overwrite)
    files = {**files, MANIFEST_JSON: _with_channel(files, body.channel)}
    version = json.loads(files[MANIFEST_JSON])["version"]
    client = RegistryClient(body.registry_url, body.token)
    with tempfile.TemporaryDirectory() as folder:
        archive = write_archive(
            files,
            Path(folder) / f"{body.package_name}.tar.gz",
            int(datetime.fromisoformat(exported_at).timestamp()),
        )
        answer = client.publish(
            archive.path,
            name=f"{body.author}/{body.package_name}",
            version=version,
            channel=body.channel,
            key=key,
        )
    return {
        "author": answer.get("author", body.author),
        "name": answer.get("name", body.package_name),
        "version": answer.get("version", version),
        "channel": answer.get("channel") or body.channel or "stable",
        "download_url": answer.get("download_url"),
        "checksum": archive.checksum,
        "keyid": key.keyid if key else None,
        "warnings": [*warnings, *(answer.get("warnings") or ())],
    }


def _with_channel(files: Mapping[str, bytes], channel: str | None) -> bytes:
    manifest = json.loads(files[MANIFEST_JSON])
    return json_bytes(manifest | ({"channel": channel} if channel else {}))
