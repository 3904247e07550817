"""Reading: GET /api/pkg, its packages, their versions, archives and files."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kombuse_registry.server import access, queries, releases
from kombuse_registry.server.answers import archive_answer, json_answer, tagged
from kombuse_registry.server.database import Tx
from kombuse_registry.server.errors import Refused
from kombuse_registry.server.inspection import read_files
from kombuse_registry.server.readme import render
from kombuse_registry.server.requests import named, read, registry

__all__ = ["preview", "routes"]

_PACKAGE = "/api/pkg/{author}/{name}"
_VERSION = f"{_PACKAGE}/versions/{{version}}"
_MOST_DAYS = 3660


async def list_packages(request: Request) -> Response:
    query = dict(request.query_params)
    page, total = await read(request, lambda tx: queries.package_page(tx, request.url.path, query))
    cursor = json.dumps(page.next_cursor)
    text = f'{{"packages":{page.text},"next_cursor":{cursor},"total":{total}}}'
    return json_answer(request, text, page.headers)


async def show_package(request: Request) -> Response:
    author, name = named(request)

    def work(tx: Tx) -> tuple[str, str | None]:
        package = access.visible(tx, author, name)
        readme = tx.value("SELECT readme FROM versions WHERE id = ?", (package["described_by"],))
        return queries.package_json(tx, package["id"]), render(readme) if readme else None

    text, readme = await read(request, work)
    shown = f',"readme_html":{json.dumps(readme, ensure_ascii=False)}' if readme else ""
    return json_answer(request, f"{text[:-1]}{shown}}}")


async def list_versions(request: Request) -> Response:
    author, name = named(request)
    query = dict(request.query_params)
    page = await read(
        request,
        lambda tx: queries.version_page(
            tx, access.visible(tx, author, name)["id"], request.url.path, query
        ),
    )
    cursor = json.dumps(page.next_cursor)
    text = f'{{"versions":{page.text},"next_cursor":{cursor}}}'
    return json_answer(request, text, page.headers)


async def show_version(request: Request) -> Response:
    author, name = named(request)

    def work(tx: Tx) -> tuple[str, str]:
        row = _existing(tx, request)
        return queries.version_text(tx, row["id"]), row["version"]

    text, version = await read(request, work)
    return json_answer(
        request, text, {"Content-Location": f"/api/pkg/{author}/{name}/versions/{version}"}
    )


async def download(request: Request) -> Response:
    _, name = named(request)
    row = await read(request, lambda tx: _existing(tx, request))
    warning = None if row["yanked_reason"] is None else f"yanked: {row['yanked_reason']}"
    answer, is_whole = await archive_answer(
        request,
        registry(request).blobs.path(row["sha256"]),
        row["sha256"],
        row["size"],
        f"{name}-{row['version']}.tar.gz",
        warning,
    )
    if is_whole:
        registry(request).counters.count_download(row["id"])
    return answer


async def list_files(request: Request) -> Response:
    query = dict(request.query_params)
    page = await read(
        request,
        lambda tx: queries.file_page(tx, _existing(tx, request)["id"], request.url.path, query),
    )
    return json_answer(request, page.text, page.headers)


async def show_file(request: Request) -> Response:
    row = await read(request, lambda tx: _existing(tx, request))
    text = await preview(request, row, request.path_params["path"])
    policy = {"Content-Security-Policy": "sandbox"}
    return tagged(request, text.encode(), "text/plain; charset=utf-8", policy)


async def preview(request: Request, row: Any, path: str) -> str:
    """A file of a version as text. Raises Refused 404, 410, or 415 for what is no text."""
    sql = "SELECT 1 FROM version_files WHERE version_id = ? AND path = ?"
    if not await read(request, lambda tx: tx.value(sql, (row["id"], path))):
        raise Refused(404, "FILE_NOT_FOUND", "File not found")
    blob = registry(request).blobs.path(row["sha256"])
    async with registry(request).inspections:
        try:
            content = await asyncio.to_thread(lambda: read_files(blob)[path])
        except FileNotFoundError:
            raise Refused(410, "VERSION_REMOVED", "Version removed") from None
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Refused(415, "NOT_A_TEXT", "The file is no text") from None


async def show_tags(request: Request) -> Response:
    author, name = named(request)
    text = await read(
        request, lambda tx: queries.tags_json(tx, access.visible(tx, author, name)["id"])
    )
    return json_answer(request, text)


async def show_stats(request: Request) -> Response:
    author, name = named(request)
    text = request.query_params.get("days") or "30"
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= _MOST_DAYS):
        raise Refused(400, "INVALID_DAYS", f"days must be a whole number from 1 to {_MOST_DAYS}")
    since = (datetime.now(UTC) - timedelta(days=int(text) - 1)).date().isoformat()
    await asyncio.to_thread(registry(request).flush)
    stats = await read(
        request,
        lambda tx: queries.download_stats(tx, access.visible(tx, author, name)["id"], since),
    )
    return json_answer(request, stats)


def _existing(tx: Tx, request: Request) -> Any:
    """The version in the path. Raises Refused 400, 404, 410 or 451."""
    package = access.visible(tx, *named(request))
    return releases.existing(tx, package, request.path_params["version"])


routes = [
    Route("/api/pkg", list_packages),
    Route(_PACKAGE, show_package),
    Route(f"{_PACKAGE}/versions", list_versions),
    Route(f"{_PACKAGE}/dist-tags", show_tags),
    Route(f"{_PACKAGE}/stats", show_stats),
    Route(_VERSION, show_version),
    Route(f"{_VERSION}/download", download),
    Route(f"{_VERSION}/files", list_files),
    Route(f"{_VERSION}/files/{{path:path}}", show_file),
]
