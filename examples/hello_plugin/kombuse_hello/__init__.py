"""Hello: who closes tickets, and how many."""

from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from kombuse_sdk import Column, PluginInfo, Subscriber, hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter

    from kombuse_sdk.mcp import Tool


@hookimpl
def kombuse_plugin() -> PluginInfo:
    return PluginInfo(name="hello", title="Hello", requires=("tickets",))


@hookimpl
def kombuse_migrations() -> Traversable:
    return files(__name__) / "migrations"


@hookimpl
def kombuse_subscribers() -> Iterable[Subscriber]:
    from kombuse_hello.closers import count

    event_types = frozenset({"ticket.closed"})
    return [Subscriber(name="hello.closers", handle=count, event_types=event_types)]


@hookimpl
def kombuse_columns(kind: str) -> Iterable[Column]:
    sql = "ifnull((SELECT closed FROM hello_closers WHERE profile_id = t.author_id), 0)"
    return [Column(name="closed_by_author", sql=sql, type=int)] if kind == "ticket" else []


@hookimpl
def kombuse_routes() -> "APIRouter":
    from kombuse_hello.closers import router

    return router


@hookimpl
def kombuse_mcp_tools() -> "Iterable[Tool]":
    from kombuse_hello.closers import TOOL

    return [TOOL]
