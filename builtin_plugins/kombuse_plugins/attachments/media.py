"""Which image a file is, by its first bytes; what the sender says of it is only a claim."""

import re

__all__ = ["HEAD_BYTES", "TYPES", "is_scriptable", "is_something_else", "type_of"]

TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
HEAD_BYTES = 64 * 1024
_OTHER = re.compile(
    rb"MZ|\x7fELF|#!|%PDF-|PK\x03\x04|\x1f\x8b|\xca\xfe\xba\xbe|RIFF.{4}(?:WAVE|AVI )", re.DOTALL
)
_MARKUP = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*<|<(?:!doctype|html|script|svg|iframe|body)", re.IGNORECASE
)
_SPACE = re.compile(rb"\s*")
_SVG_TAG = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?svg[\s/>]")
_SUBSET = re.compile(rb"<!DOCTYPE[^>\[]*\[", re.IGNORECASE)


def type_of(head: bytes) -> str | None:
    """One of `TYPES` for the first `HEAD_BYTES` of a file, None for anything else."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return "image/svg+xml" if _is_svg(head) else None


def is_something_else(head: bytes) -> bool:
    """Whether bytes that are none of `TYPES` show that they are markup, a program or an archive.

    Bytes that show nothing (a damaged or unfinished image) are left with the type they are said
    to have: a browser is told not to guess.
    """
    return _OTHER.match(head) is not None or _MARKUP.search(head) is not None


def is_scriptable(mime_type: str) -> bool:
    """Whether a browser that opens the file would run scripts inside it."""
    return mime_type == "image/svg+xml"


def _is_svg(head: bytes) -> bool:
    """The root element is `svg`, after declarations, comments and a document type."""
    at = 3 if head.startswith(b"\xef\xbb\xbf") else 0
    while True:
        at = _end_of_space(head, at)
        if head.startswith(b"<!--", at):
            end = b"-->"
        elif head.startswith(b"<?", at):
            end = b"?>"
        elif head.startswith(b"<!", at):
            end = b"]" if _SUBSET.match(head, at) else b">"
        else:
            return _SVG_TAG.match(head, at) is not None
        found = head.find(end, at)
        if found < 0:
            return False
        at = found + len(end)
        if end == b"]":
            at = _end_of_space(head, at)
            at += head.startswith(b">", at)


def _end_of_space(head: bytes, at: int) -> int:
    found = _SPACE.match(head, at)
    assert found is not None
    return found.end()
