"""POST /api/pkg/{author}/{name}"""

import asyncio
import base64
import binascii
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kombuse_registry.server import access, publishing
from kombuse_registry.server.answers import changed
from kombuse_registry.server.audit import record
from kombuse_registry.server.errors import Refused
from kombuse_registry.server.inspection import inspect
from kombuse_registry.server.publishing import Release
from kombuse_registry.server.requests import flag, named, origin, read, registry, write
from kombuse_registry.server.uploads import Upload, announced_digest, receive

__all__ = ["routes"]

_LONGEST_NOTES = 64 * 1024
_LONGEST_KEY = 200


async def publish(request: Request) -> Response:
    caller = access.require(origin(request).caller)
    author, name = named(request)
    settings = registry(request).settings
    try:
        await read(
            request,
            lambda tx: access.check_publisher(
                tx,
                caller,
                author,
                name,
                digest=announced_digest(request),
                are_namespaces_open=settings.open_namespaces,
            ),
        )
        most, idle = settings.max_archive_bytes, settings.body_idle_seconds
        async with receive(request, registry(request).blobs, most, idle) as upload:
            release = await _release(request, upload)
            return await _published(request, release)
    except Refused as refused:
        code, source = refused.code, origin(request)
        await write(
            request, lambda tx: record(tx, source, "publish_refused", author, name, code=code)
        )
        raise


async def _release(request: Request, upload: Upload) -> Release:
    """Raises Refused 413 or 422 for what is no package."""
    author, name = named(request)
    settings = registry(request).settings
    async with registry(request).inspections:
        inspected = await asyncio.to_thread(
            inspect,
            upload.path,
            author,
            name,
            allow_secrets=flag(request, "allow_secrets"),
            most=settings.max_archive_bytes,
        )
    return Release(
        author=author,
        name=name,
        caller=access.require(origin(request).caller),
        origin=origin(request),
        upload=upload,
        inspected=inspected,
        channel=publishing.choose_channel(
            inspected.metadata, request.query_params.get("channel") or None
        ),
        force_tag=flag(request, "force_tag"),
        signature=request.headers.get("x-kombuse-signature"),
        release_notes=_notes(request.headers.get("x-kombuse-release-notes")),
        idempotency_key=(request.headers.get("idempotency-key") or "")[:_LONGEST_KEY] or None,
        are_namespaces_open=settings.open_namespaces,
    )


async def _published(request: Request, release: Release) -> Response:
    before = await read(request, lambda tx: publishing.check(tx, release))
    if before is not None:
        return _answer(before, 200)
    if flag(request, "dry_run"):
        shown = await read(request, lambda tx: publishing.preview(tx, release))
        return _answer(shown, 200)
    blobs, keys = registry(request).blobs, registry(request).keys
    await asyncio.to_thread(blobs.keep, release.upload.path, release.upload.sha256)
    found, is_new = await write(request, lambda tx: publishing.publish(tx, keys, release))
    return _answer(found, 201 if is_new else 200)


def _answer(published: dict[str, Any], status: int) -> Response:
    where = published["download_url"].removesuffix("/download")
    headers = {"Location": where} if status == 201 else {}
    return changed({"published": published}, status, headers)


def _notes(header: str | None) -> str | None:
    """Text in base64. Raises Refused 400."""
    if not header:
        return None
    try:
        return base64.b64decode(header, validate=True).decode()[:_LONGEST_NOTES]
    except (binascii.Error, ValueError):
        text = "X-Kombuse-Release-Notes must be UTF-8 in base64"
        raise Refused(400, "INVALID_NOTES", text) from None


routes = [Route("/api/pkg/{author}/{name}", publish, methods=["POST"])]
