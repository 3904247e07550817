"""Answers: JSON with an entity tag, and archives with ranges."""

import asyncio
import base64
import hashlib
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from kombuse_registry.server.errors import Refused

__all__ = ["archive_answer", "changed", "json_answer", "tagged"]

# Of every download one part and what the system has not taken of it are in memory.
_CHUNK = 16 * 1024
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})", re.ASCII)


def json_answer(
    request: Request, body: str | Any, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON text or a value, for reading."""
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return tagged(request, text.encode(), "application/json", headers)


def tagged(
    request: Request, body: bytes, media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    """200, or 304 when the client has these bytes already."""
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    kept = {"Cache-Control": "no-cache", **(headers or {}), "ETag": etag}
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=kept)
    return Response(body, media_type=media_type, headers=kept)


def changed(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The answer to a change, which is not kept by anybody."""
    return Response(
        json.dumps(value, ensure_ascii=False).encode(),
        status,
        {"Cache-Control": "no-store", **(headers or {})},
        "application/json",
    )


async def archive_answer(
    request: Request, path: Path, sha256: str, size: int, name: str, warning: str | None
) -> tuple[Response, bool]:
    """The answer, and whether it sends the archive whole."""
    etag = f'"sha256:{sha256}"'
    headers = {
        "ETag": etag,
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:",
        "Cache-Control": "public, max-age=31536000, immutable",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Accept-Ranges": "bytes",
    }
    if warning:
        headers |= {"Warning": f'299 - "{_quoted(warning)}"', "Cache-Control": "no-cache"}
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers), False
    start, end, status = _range(request, etag, size)
    headers["Content-Length"] = str(end - start)
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    if request.method == "HEAD":
        return Response(None, status, headers, "application/gzip"), False
    descriptor = await asyncio.to_thread(_opened, path)
    body = _chunks(descriptor, start, end)
    return StreamingResponse(body, status, headers, "application/gzip"), status == 200


def _opened(path: Path) -> int:
    """Reading begins in the background, so that the chunks are in memory when they are sent."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Refused(410, "VERSION_REMOVED", "Version removed") from None
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
    return descriptor


async def _chunks(descriptor: int, start: int, end: int) -> AsyncIterator[bytes]:
    try:
        while start < end:
            chunk = os.pread(descriptor, min(_CHUNK, end - start), start)
            if not chunk:
                raise OSError("an archive is shorter than when it was stored")
            start += len(chunk)
            yield chunk
    finally:
        os.close(descriptor)


def _range(request: Request, etag: str, size: int) -> tuple[int, int, int]:
    """Start, end and status; several ranges at once are answered with the whole."""
    match = _RANGE.fullmatch(request.headers.get("range", "").strip())
    if not match or match[1] == match[2] == "" or request.headers.get("if-range", etag) != etag:
        return 0, size, 200
    if match[1]:
        start, end = int(match[1]), min(size, int(match[2] or size) + 1)
        if match[2] and int(match[2]) < start:
            return 0, size, 200
    else:
        start, end = max(0, size - int(match[2])), size
    if start >= end:
        headers = {"Content-Range": f"bytes */{size}"}
        raise Refused(416, "RANGE_NOT_SATISFIABLE", "Nothing is in this range", headers)
    return start, end, 206


def _matches(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    return any(part.strip().removeprefix("W/") in (etag, "*") for part in header.split(","))


def _quoted(text: str) -> str:
    """A text as it may stand between quotes in a header, on one line of ASCII."""
    plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in text[:500])
    return plain.replace("\\", "\\\\").replace('"', '\\"')
