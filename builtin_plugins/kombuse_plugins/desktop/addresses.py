"""Which pages a window may show: those of its own server, and nothing else."""

import re
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from kombuse_sdk.errors import BadRequest, Forbidden

__all__ = ["is_external", "is_own", "origin", "page_url"]

_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")


def origin(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def page_url(path: str | None, port: int) -> str:
    """The address of a path on the server, which always begins with the server's origin.

    A whole address is taken when it is one of the server. Raises BadRequest for what browsers read
    in ways of their own and for credentials, Forbidden for any other origin or scheme.
    """
    path = path or "/"
    if _UNSAFE.search(path):
        raise BadRequest("path must not contain spaces, control characters or backslashes")
    try:
        parts = urlsplit(urljoin(f"{origin(port)}/", path))
        has_credentials = "@" in parts.netloc
    except ValueError:
        raise BadRequest("path is not a valid address") from None
    if has_credentials:
        raise BadRequest("path must not contain credentials")
    if f"{parts.scheme}://{parts.netloc}" != origin(port):
        raise Forbidden("Only pages of this server can be opened")
    given = parse_qsl(parts.query, keep_blank_values=True)
    query = parts.query
    if ("port", str(port)) not in given:
        kept = urlencode([pair for pair in given if pair[0] != "port"])
        query = "&".join(filter(None, [kept, f"port={port}"]))
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return f"{origin(port)}{parts.path or '/'}?{query}{fragment}"


def is_own(url: str, port: int) -> bool:
    return url.startswith(f"{origin(port)}/")


def is_external(url: str) -> bool:
    """Whether an address is one for the person's own browser."""
    return urlsplit(url).scheme in ("http", "https")
