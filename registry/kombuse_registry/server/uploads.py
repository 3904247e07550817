"""Bodies of requests: archives streamed to a file while they are hashed, and small JSON."""

import asyncio
import base64
import binascii
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request

from kombuse_registry.integrity import checksum_of
from kombuse_registry.server.blobs import Blobs
from kombuse_registry.server.errors import Refused
from kombuse_sdk.failures import issues_of

__all__ = ["Upload", "announced_digest", "json_body", "receive"]

M = TypeVar("M", bound=BaseModel)
_MEDIA_TYPES = ("application/gzip", "application/x-gzip", "application/octet-stream", "")
_MOST_JSON = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A received file, which is gone when nobody kept it."""

    path: Path
    size: int
    sha256: str
    sha512: str
    integrity: str


@asynccontextmanager
async def receive(
    request: Request, blobs: Blobs, most: int, idle_seconds: float
) -> AsyncIterator[Upload]:
    """Raises Refused 408, 413, 415, or 422 when the digest is not the one that was announced."""
    if request.headers.get("content-type", "").partition(";")[0].strip() not in _MEDIA_TYPES:
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "Expected application/gzip")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > most:
        raise _too_large(most)
    descriptor, path = blobs.new_file()
    try:
        sha256, sha512, size = hashlib.sha256(), hashlib.sha512(), 0
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            async for chunk in _parts(request, idle_seconds):
                size += len(chunk)
                if size > most:
                    raise _too_large(most)
                sha256.update(chunk)
                sha512.update(chunk)
                file.write(chunk)
        expected = announced_digest(request)
        if expected and expected != sha256.hexdigest():
            text = "The digest of the upload is not the one that was announced"
            raise Refused(422, "CHECKSUM_MISMATCH", text, checksum=sha256.hexdigest())
        yield Upload(
            path=path,
            size=size,
            sha256=sha256.hexdigest(),
            sha512=sha512.hexdigest(),
            integrity=f"sha512-{base64.b64encode(sha512.digest()).decode()}",
        )
    finally:
        path.unlink(missing_ok=True)


def announced_digest(request: Request) -> str | None:
    """SHA-256 in hex, of one header or of both when they agree; else what no file has."""
    found = set()
    plain = request.headers.get("x-kombuse-checksum")
    if plain:
        found.add(checksum_of(plain))
    for part in request.headers.get("repr-digest", "").split(","):
        algorithm, _, value = part.strip().partition("=")
        if algorithm.lower() == "sha-256":
            try:
                found.add(base64.b64decode(value.strip(":"), validate=True).hex())
            except (binascii.Error, ValueError):
                found.add(value)
    return found.pop() if len(found) == 1 else " ".join(sorted(found)) or None


async def json_body(request: Request, model: type[M], idle_seconds: float) -> M:
    """Raises Refused 400 with the issues, 408 or 413."""
    data = b""
    async for chunk in _parts(request, idle_seconds):
        data += chunk
        if len(data) > _MOST_JSON:
            raise Refused(413, "BODY_TOO_LARGE", "The body is too large", limit=_MOST_JSON)
    try:
        return model.model_validate_json(data or b"{}")
    except ValidationError as error:
        issues = issues_of(error)
        where = ".".join(map(str, issues[0]["path"]))
        text = f"{where}: {issues[0]['message']}" if where else issues[0]["message"]
        raise Refused(400, "INVALID_BODY", f"Invalid body: {text}", issues=issues) from None


async def _parts(request: Request, idle_seconds: float) -> AsyncIterator[bytes]:
    """A client that sends nothing for so long is not waited for. Raises Refused 408."""
    parts = request.stream()
    while True:
        try:
            part = await asyncio.wait_for(anext(parts), idle_seconds)
        except StopAsyncIteration:
            return
        except TimeoutError:
            headers = {"Connection": "close"}
            raise Refused(408, "BODY_TIMEOUT", "The body did not arrive", headers) from None
        except ClientDisconnect:
            raise Refused(400, "BODY_INCOMPLETE", "The body was cut short") from None
        yield part


def _too_large(most: int) -> Refused:
    text = f"Archive too large: more than {most} bytes"
    return Refused(413, "ARCHIVE_TOO_LARGE", text, limit=most)
