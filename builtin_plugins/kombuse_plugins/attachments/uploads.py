"""Reading an upload: one file and one field out of a multipart body, within bounds.

The body is parsed as it comes, in a worker thread; the file goes straight to disk. Memory stays at
a chunk of the body, whatever is sent, and no file is left when the upload fails.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from kombuse_plugins.attachments import media, storage
from kombuse_sdk.errors import BadRequest, KombuseError

__all__ = ["MAX_BYTES", "Form", "NotMultipart", "Upload", "receive"]

MAX_BYTES = 10 * 1024 * 1024
_MAX_BODY = MAX_BYTES + 64 * 1024
_MAX_PARTS = 20
_MAX_FIELD = 1000
_IDLE_SECONDS = 30.0
_TOO_LARGE = f"File size exceeds maximum of {MAX_BYTES} bytes (10 MB)"


class NotMultipart(KombuseError):
    """The body is of another type than `multipart/form-data`."""

    status = 406


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A complete upload; `path` is where its bytes are until they are placed."""

    path: Path
    filename: str
    mime_type: str
    size_bytes: int
    uploaded_by_id: str


@asynccontextmanager
async def receive(request: Request, uploads: Path) -> AsyncIterator[Upload]:
    """The upload of a request. On leaving, its file is removed unless it was moved away.

    Raises BadRequest for what the form lacks or has too much of, NotMultipart.
    """
    boundary = _boundary(request)
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > _MAX_BODY:
        raise BadRequest(_TOO_LARGE)
    path, descriptor = storage.new_incoming(uploads)
    try:
        with os.fdopen(descriptor, "w+b") as out:
            form = Form(boundary, out)
            await _feed(request, form)
            await asyncio.to_thread(form.sync)
        yield form.upload(path)
    finally:
        path.unlink(missing_ok=True)


def _boundary(request: Request) -> bytes:
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise NotMultipart("Content-Type must be multipart/form-data with a boundary")
    return options[b"boundary"]


async def _feed(request: Request, form: "Form") -> None:
    size = 0
    chunks = request.stream()
    try:
        while True:
            async with asyncio.timeout(_IDLE_SECONDS):
                chunk = await anext(chunks, None)
            if chunk is None:
                return
            size += len(chunk)
            if size > _MAX_BODY:
                raise BadRequest(_TOO_LARGE)
            await asyncio.to_thread(form.write, chunk)
    except (ClientDisconnect, TimeoutError):
        raise BadRequest("The upload ended early") from None


class Form:
    """The parts of a multipart body, in any order. The first file counts, further ones do not."""

    def __init__(self, boundary: bytes, out: BufferedRandom) -> None:
        self._out = out
        self._size = 0
        self._head = b""
        self._declared: str | None = None
        self._filename = b""
        self._uploaders: list[bytes] = []
        self._parts = 0
        self._headers: dict[bytes, bytes] = {}
        self._header = (b"", b"")
        self._sink = self._ignore
        self._is_complete = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._header_name,
                    "on_header_value": self._header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._part_data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise BadRequest(f"The form cannot be read: {error}") from None

    def write(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise BadRequest(f"The form cannot be read: {error}") from None

    def sync(self) -> None:
        """Make the file durable before a row names it."""
        self._out.flush()
        os.fsync(self._out.fileno())

    def upload(self, path: Path) -> Upload:
        if not self._is_complete:
            raise BadRequest("The upload ended early")
        if self._declared is None:
            raise BadRequest("No file uploaded")
        if len(self._uploaders) != 1 or not self._uploaders[0]:
            raise BadRequest("uploaded_by_id field is required")
        return Upload(
            path=path,
            filename=storage.base_name(self._filename),
            mime_type=self._mime_type(self._declared),
            size_bytes=self._size,
            uploaded_by_id=self._uploaders[0].decode("utf-8", "replace"),
        )

    def _mime_type(self, declared: str) -> str:
        """What the bytes show, else what the sender says."""
        found = media.type_of(self._head)
        if found is None and media.is_something_else(self._head):
            return _allowed("application/octet-stream")
        return found or declared

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise BadRequest(f"The form has more than {_MAX_PARTS} parts")
        self._headers.clear()
        self._sink = self._ignore

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        name, value = self._header
        self._header = (name + data[start:end], value)

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        name, value = self._header
        self._header = (name, value + data[start:end])

    def _end_header(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value
        self._header = (b"", b"")

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        if b"filename" in options:
            if self._declared is None:
                kind, _ = parse_options_header(self._headers.get(b"content-type", b"text/plain"))
                self._declared = _allowed(kind.decode("latin-1"))
                self._filename = options[b"filename"]
                self._sink = self._file_data
        elif options.get(b"name") == b"uploaded_by_id":
            self._uploaders.append(b"")
            self._sink = self._uploader_data

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        self._sink(data[start:end])

    def _ignore(self, data: bytes) -> None:
        pass

    def _file_data(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_BYTES:
            raise BadRequest(_TOO_LARGE)
        if len(self._head) < media.HEAD_BYTES:
            self._head += data[: media.HEAD_BYTES - len(self._head)]
        self._out.write(data)

    def _uploader_data(self, data: bytes) -> None:
        self._uploaders[-1] += data
        if len(self._uploaders[-1]) > _MAX_FIELD:
            raise BadRequest("uploaded_by_id is too long")

    def _end(self) -> None:
        self._is_complete = True


def _allowed(mime_type: str) -> str:
    if mime_type not in media.TYPES:
        raise BadRequest(
            f"MIME type '{mime_type}' is not allowed. Allowed types: {', '.join(media.TYPES)}"
        )
    return mime_type
