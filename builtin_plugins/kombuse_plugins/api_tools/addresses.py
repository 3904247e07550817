"""What an agent gives as the path of an API call, turned into an address of this server."""

from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from kombuse_sdk.errors import BadRequest

__all__ = ["address"]

_NOT_API = "Path must start with /api/. Use list_api_endpoints to discover available paths."
_ABSOLUTE = "Path must be a path of this server, not an absolute URL"
_KEPT = "/%:@!$&'()*+,;=~"


def address(path: str, query: Mapping[str, str]) -> tuple[str, str]:
    """Path and query, escaped, of `path` (which may have a query itself) with `query` added.

    Raises BadRequest unless the path, its dot segments resolved as browsers do, is below /api/.
    """
    try:
        parts = urlsplit(path.strip())
    except ValueError:
        raise BadRequest("Invalid path") from None
    if parts.scheme or parts.netloc or parts.path.startswith("//"):
        raise BadRequest(_ABSOLUTE)
    resolved = _resolve(parts.path.replace("\\", "/"))
    if not resolved.startswith("/api/"):
        raise BadRequest(_NOT_API)
    given = quote(parts.query, safe=_KEPT + "?")
    return quote(resolved, safe=_KEPT), "&".join(filter(None, (given, urlencode(query))))


def _resolve(path: str) -> str:
    segments: list[str] = []
    for segment in path.split("/"):
        dots = segment.lower().replace("%2e", ".")
        if dots == "..":
            del segments[-1:]
        elif dots != ".":
            segments.append(segment)
    return "/" + "/".join(segments).lstrip("/")
