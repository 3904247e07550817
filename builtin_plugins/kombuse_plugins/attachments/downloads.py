"""Answering a stored file so that no browser runs what is inside it."""

import re
from typing import Any
from urllib.parse import quote

from starlette.responses import FileResponse

from kombuse_plugins.attachments import media
from kombuse_plugins.attachments.storage import StoredFile

__all__ = ["Download", "content_disposition"]

_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
    "accept-ranges": "none",
}


class Download(FileResponse):
    """A whole file: the parts that a Range header asks for are not worth their cost."""

    def __init__(self, file: StoredFile, *, filename: str, mime_type: str) -> None:
        kind = "attachment" if media.is_scriptable(mime_type) else "inline"
        disposition = content_disposition(kind, filename)
        super().__init__(
            file.path,
            headers=_HEADERS | {"content-disposition": disposition},
            media_type=mime_type,
            stat_result=file.status,
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [header for header in scope["headers"] if header[0] != b"range"]
        await super().__call__({**scope, "headers": headers}, receive, send)


def content_disposition(kind: str, filename: str) -> str:
    """RFC 6266: a plain name, and the real one in the form of RFC 8187 where they differ."""
    plain = re.sub(r"[^A-Za-z0-9 ._()+-]", "_", filename)
    header = f'{kind}; filename="{plain}"'
    return header if plain == filename else f"{header}; filename*=UTF-8''{quote(filename, safe='')}"
