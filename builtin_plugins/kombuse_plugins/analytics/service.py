"""A report: its project and days resolved, and answered as JSON or CSV."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from kombuse_plugins.analytics.representation import prefers_csv, to_csv
from kombuse_plugins.analytics.schemas import Window
from kombuse_plugins.analytics.windows import Scope, window
from kombuse_sdk.contracts import Projects
from kombuse_sdk.errors import NotFound
from kombuse_sdk.sql import JsonText
from kombuse_sdk.storage import Database, ReadTx

__all__ = ["report", "run"]


class Filter(Protocol):
    @property
    def project_id(self) -> str | None: ...


Q = TypeVar("Q", bound=Filter)
Select = Callable[[ReadTx, Scope, Q], JsonText]


async def run(
    db: Database, request: Request, query: Q, select: Select[Q], row: type[BaseModel]
) -> Any:
    """The kernel checks and sends JSON; what else is asked for is made of it here."""
    as_csv = prefers_csv(request.headers.get("accept", ""))

    def read(tx: ReadTx) -> JsonText | Response:
        found = report(tx, query, select)
        return _csv(request, found, row) if as_csv else found

    return await db.read_async(read)


def report(tx: ReadTx, query: Q, select: Select[Q]) -> JsonText:
    today = tx.now[:10]
    first, last = window(query, today) if isinstance(query, Window) else (today, today)
    scope = Scope(project_id=_project(tx, query.project_id), first=first, last=last)
    found = select(tx, scope, query)
    found.is_volatile = True
    found.vary = "Accept"
    return found


def _project(tx: ReadTx, reference: str | None) -> str | None:
    if reference is None:
        return None
    return NotFound.unless(tx.services.get(Projects).resolve(tx, reference), "Project")


def _csv(request: Request, found: JsonText, row: type[BaseModel]) -> Response:
    name = request.url.path.rpartition("/")[2]
    headers = {
        "cache-control": "no-store",
        "content-disposition": f'attachment; filename="{name}.csv"',
        "vary": "Accept",
    }
    text = to_csv(list(row.model_fields), found.load())
    return Response(text, media_type="text/csv; charset=utf-8; header=present", headers=headers)
