"""Pages for people: what there is, and what is in it. No scripts, no cookies."""

import json
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kombuse_registry.server import access, queries, releases
from kombuse_registry.server.answers import tagged
from kombuse_registry.server.database import Tx
from kombuse_registry.server.readme import render
from kombuse_registry.server.requests import named, read
from kombuse_registry.server.routes.packages import preview

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["routes"]

_PER_PAGE = "50"
_PACKAGE = "/packages/{author}/{name}"


async def list_packages(request: Request) -> Response:
    asked = request.query_params
    query = {key: asked[key] for key in ("q", "type", "author", "sort", "cursor") if asked.get(key)}
    page, total = await read(
        request, lambda tx: queries.package_page(tx, "/", {**query, "limit": _PER_PAGE})
    )
    return _page(
        request,
        "packages.html",
        packages=[json.loads(item) for item in page.items],
        total=total,
        query=query,
        next_query={**query, "cursor": page.next_cursor} if page.next_cursor else None,
    )


async def show_package(request: Request) -> Response:
    """The package with one of its versions: the one in the path, or the newest."""
    wanted = request.path_params.get("version")

    def work(tx: Tx) -> dict[str, Any]:
        author, name = named(request)
        package = access.visible(tx, author, name)
        row = _version(tx, package, wanted)
        shown = {"include_yanked": "true", "limit": "200"}
        listed = queries.version_page(tx, package["id"], "", shown)
        return {
            "package": json.loads(queries.package_json(tx, package["id"])),
            "version": json.loads(queries.version_text(tx, row["id"])) if row else None,
            "versions": [json.loads(item) for item in listed.items],
            "files": _files(tx, row) if row else [],
            "readme": render(row["readme"]) if row and row["readme"] else None,
        }

    return _page(request, "package.html", **await read(request, work))


async def show_file(request: Request) -> Response:
    path = request.path_params["path"]

    def work(tx: Tx) -> tuple[Any, Any]:
        package = access.visible(tx, *named(request))
        return package, releases.existing(tx, package, request.path_params["version"])

    package, row = await read(request, work)
    text = await preview(request, row, path)
    return _page(
        request, "file.html", package=dict(package), version=row["version"], path=path, text=text
    )


async def style(request: Request) -> Response:
    data = (files("kombuse_registry.server") / "static" / "registry.css").read_bytes()
    return tagged(request, data, "text/css; charset=utf-8")


def _version(tx: Tx, package: Any, wanted: str | None) -> Any:
    """None for a package of which nothing is left."""
    if wanted is not None:
        return releases.existing(tx, package, wanted)
    return tx.one("SELECT * FROM versions WHERE id = ?", (package["described_by"],))


def _files(tx: Tx, row: Any) -> list[dict[str, Any]]:
    listed = queries.file_page(tx, row["id"], "", {})
    return [json.loads(item) for item in listed.items]


def _page(request: Request, template: str, **context: Any) -> Response:
    text = _environment().get_template(template).render(context)
    return tagged(request, text.encode(), "text/html; charset=utf-8")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader

    environment = Environment(
        loader=PackageLoader("kombuse_registry.server"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"day": _day, "bytes": _size}
    return environment


def _day(time: str) -> str:
    moment = datetime.fromisoformat(time)
    return f"{moment:%d %B %Y}".lstrip("0")


def _size(number: int) -> str:
    if number < 1024:
        return f"{number} B"
    return f"{number / 1024:.1f} KB" if number < 1024 * 1024 else f"{number / 1024 / 1024:.1f} MB"


routes = [
    Route("/", list_packages),
    Route("/registry.css", style),
    Route(_PACKAGE, show_package),
    Route(f"{_PACKAGE}/{{version}}", show_package),
    Route(f"{_PACKAGE}/{{version}}/files/{{path:path}}", show_file),
]
