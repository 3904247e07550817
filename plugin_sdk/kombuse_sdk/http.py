"""Parameters of routes: what may stand in a route's signature, and how it is filled.

A route is a plain function on a `Router`. Its parameters are recognised by type:

- `Read` / `Write`: the transaction. It is committed before the answer is sent.
- path parameters: `str`, or `ProjectId`, `TicketNumber`, your own `Annotated[..., PathParam(...)]`
- `Annotated[X, fastapi.Query()]` of one `schemas.Query`, and one `schemas.Body` (or `X | None`)
- `Db`, `App` (the kernel) and `starlette.requests.Request`, for `async def` routes

It answers `JsonText` (sent as it is), any value that fits `response_model`, or a `Response`.
A function with other parameters (`UploadFile`, a `Depends` of yours, ...) is left to FastAPI.
A plain `def` route with `Read` runs on the event loop: it must be quick. Use `async def` and
`Db.read_async` for what may take longer than a millisecond.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute

from kombuse_sdk.contracts.projects import Projects
from kombuse_sdk.errors import BadRequest, NotFound
from kombuse_sdk.schemas import MAX_INT
from kombuse_sdk.storage import Database, ReadTx, WriteTx
from kombuse_sdk.types import Kernel

__all__ = [
    "App",
    "Db",
    "PathParam",
    "ProjectId",
    "Read",
    "RecordedRoute",
    "Router",
    "TicketNumber",
    "Write",
    "database_of",
    "integer_id",
    "integer_path",
    "kernel_of",
    "read_transaction",
    "write_transaction",
]


class RecordedRoute(APIRoute):
    """What was declared of a route, without FastAPI's analysis of it.

    The kernel binds routes itself and has FastAPI analyse them when the API document is first
    asked for: with a hundred routes that is a tenth of a second less at every start.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.path = path
        self.endpoint = endpoint
        self.name = options["name"] or endpoint.__name__
        self.methods = set(options["methods"] or ["GET"])
        model = options["response_model"]
        self.response_model = None if isinstance(model, DefaultPlaceholder) else model
        self.status_code = options["status_code"]
        self.response_class = options["response_class"]
        self.dependencies = list(options["dependencies"])
        self.summary = options["summary"]
        self.description = options["description"]
        self.responses = options["responses"]
        self.openapi_extra = options["openapi_extra"]


class Router(APIRouter):
    """The router of a plugin's routes: FastAPI's decorators, analysed as late as possible.

    A plain `fastapi.APIRouter` serves as well.
    """

    def __init__(self, prefix: str = "") -> None:
        super().__init__(prefix=prefix, route_class=RecordedRoute)


def kernel_of(request: Request) -> Kernel:
    kernel: Kernel = request.scope["kombuse"]
    return kernel


def database_of(request: Request) -> Database:
    return kernel_of(request).db


def read_transaction(request: Request) -> Iterator[ReadTx]:
    with database_of(request).read() as tx:
        yield tx


async def write_transaction(request: Request) -> AsyncIterator[WriteTx]:
    """Waits for its turn outside FastAPI's threads: the write that runs needs one to finish."""
    context = database_of(request).write()
    entering = asyncio.get_running_loop().run_in_executor(None, context.__enter__)
    try:
        tx = await asyncio.shield(entering)
    except asyncio.CancelledError:
        entering.add_done_callback(lambda _: context.__exit__(None, None, None))
        raise
    with ExitStack() as stack:
        stack.push(context)
        yield tx


App = Annotated[Kernel, Depends(kernel_of)]
Db = Annotated[Database, Depends(database_of)]
Read = Annotated[ReadTx, Depends(read_transaction, scope="function")]
Write = Annotated[WriteTx, Depends(write_transaction, scope="function")]


@dataclass(frozen=True, slots=True)
class PathParam:
    """How the text of a path parameter becomes a value; raises SDK errors."""

    convert: Callable[[ReadTx, str], Any]


def integer_path(text: str, message: str, *, minimum: int | None = None) -> int:
    """Decimal digits with an optional sign, else `BadRequest(message)`.

    A number that no row can have is capped, so that it is simply not found.
    """
    digits = text[1:] if text[:1] == "-" else text
    if not (digits.isascii() and digits.isdigit()):
        raise BadRequest(message)
    value = int(text) if len(text) < 17 else (MAX_INT if text[0] != "-" else -MAX_INT)
    if minimum is not None and value < minimum:
        raise BadRequest(message)
    return value


def integer_id(message: str) -> PathParam:
    """A path parameter that is an integer id; `message` answers anything else."""
    return PathParam(lambda tx, text: integer_path(text, message))


def _project(tx: ReadTx, text: str) -> str:
    project_id = tx.services.get(Projects).resolve(tx, text)
    if project_id is None:
        raise NotFound("Project not found")
    return project_id


ProjectId = Annotated[str, PathParam(_project)]
TicketNumber = Annotated[
    int, PathParam(lambda tx, text: integer_path(text, "Invalid ticket number", minimum=1))
]
