"""For other programs: changes, short lists, the choice of a version, the state of the server."""

import json
from typing import Any

import importlib_metadata
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kombuse_registry import names, versions
from kombuse_registry.server import access, queries
from kombuse_registry.server.answers import json_answer, tagged
from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused
from kombuse_registry.server.paging import MOST
from kombuse_registry.server.requests import named, read

__all__ = ["routes"]

_CHANGE = """json_object(
    'seq', c.seq, 'author', c.author, 'name', c.name, 'version', c.version, 'type', c.type,
    'at', c.at)"""
_CANDIDATES = """
SELECT version, sha256 FROM versions
WHERE package_id = ? AND channel = ? AND removed_at IS NULL AND yanked_reason IS NULL
"""


async def health(request: Request) -> Response:
    def work(tx: Tx) -> dict[str, Any]:
        return {
            "status": "ok",
            "version": importlib_metadata.version("kombuse"),
            "packages": tx.value("SELECT count(*) FROM packages"),
            "versions": tx.value("SELECT count(*) FROM versions WHERE removed_at IS NULL"),
        }

    return json_answer(request, await read(request, work))


async def changes(request: Request) -> Response:
    """What happened after `since`, the oldest first; the next page begins at the last `seq`."""
    since = _number(request, "since", 0)
    limit = min(_number(request, "limit", MOST), MOST)
    sql = f"SELECT {_CHANGE} FROM changes c WHERE c.seq > ? ORDER BY c.seq LIMIT ?"

    def work(tx: Tx) -> tuple[list[str], int]:
        last = tx.value("SELECT max(seq) FROM changes") or 0
        return tx.values(sql, (since, limit)), last

    found, last = await read(request, work)
    headers = {}
    if len(found) == limit and limit:
        through = json.loads(found[-1])["seq"]
        query = f"since={through}&limit={limit}"
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return json_answer(request, f'{{"changes":[{",".join(found)}],"last_seq":{last}}}', headers)


async def index(request: Request) -> Response:
    author, name = named(request)
    text = await read(
        request, lambda tx: queries.index_lines(tx, access.visible(tx, author, name)["id"])
    )
    return tagged(request, text.encode(), "application/x-ndjson")


async def resolve(request: Request) -> Response:
    """The newest version of a range, or the one that the channel points to."""
    query = request.query_params
    author, name = names.split_name(query.get("name", ""))
    access.check_name(author or "", name)
    channel = query.get("channel") or "stable"
    wanted = query.get("range") or ""

    def work(tx: Tx) -> tuple[str, str] | None:
        package = access.visible(tx, author or "", name)
        if not wanted:
            row = queries.version_row(tx, package["id"], f"@{channel}")
            return (row["version"], row["sha256"]) if row else None
        found = dict(map(tuple, tx.all(_CANDIDATES, (package["id"], channel))))
        fitting = versions.satisfying(wanted, found, prereleases=channel != "stable")
        return (fitting[0], found[fitting[0]]) if fitting else None

    found = await read(request, work)
    if found is None:
        raise Refused(404, "NO_MATCH", "No version fits")
    version, checksum = found
    address = f"/api/pkg/{author}/{name}/versions/{version}/download"
    return json_answer(
        request,
        {
            "name": f"{author}/{name}",
            "version": version,
            "download_url": address,
            "checksum": checksum,
        },
    )


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise Refused(400, f"INVALID_{name.upper()}", f"{name} must be a whole number")
    return int(text)


routes = [
    Route("/api/pkg/-/health", health),
    Route("/api/pkg/-/changes", changes),
    Route("/api/pkg/-/resolve", resolve),
    Route("/api/pkg/-/index/{author}/{name}", index),
]
