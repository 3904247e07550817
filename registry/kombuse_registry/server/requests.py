"""What a route needs of a request: the registry, who asks, and which package it is about."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from kombuse_registry.server import access
from kombuse_registry.server.audit import Origin
from kombuse_registry.server.database import Tx
from kombuse_registry.server.registry import Registry
from kombuse_registry.server.uploads import json_body

__all__ = ["body", "flag", "named", "origin", "read", "registry", "write"]

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


def registry(request: Request) -> Registry:
    found = request.state.registry
    assert isinstance(found, Registry)
    return found


def origin(request: Request) -> Origin:
    found = request.state.origin
    assert isinstance(found, Origin)
    return found


def named(request: Request) -> tuple[str, str]:
    """Author and name in the path. Raises Refused 400."""
    author, name = request.path_params["author"], request.path_params["name"]
    access.check_name(author, name)
    return author, name


def flag(request: Request, name: str) -> bool:
    return request.query_params.get(name, "").lower() in ("true", "1")


def read(request: Request, work: Callable[[Tx], T]) -> Awaitable[T]:
    return registry(request).db.read_async(work)


def write(request: Request, work: Callable[[Tx], T]) -> Awaitable[T]:
    return registry(request).db.write_async(work)


async def body(request: Request, model: type[M], *, is_open: bool = False) -> M:
    """What was sent; nothing is read from people without a token, unless it is open to them."""
    if not is_open:
        access.require(origin(request).caller)
    return await json_body(request, model, registry(request).settings.body_idle_seconds)
