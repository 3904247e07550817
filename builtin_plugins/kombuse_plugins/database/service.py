"""The explorer for those who must not wait, its calls in threads of their own; due backups."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from kombuse_plugins.database.backups import Backups
from kombuse_plugins.database.sandbox import Explorer, Param, QueryResult
from kombuse_sdk.errors import NotFound, Unavailable
from kombuse_sdk.types import Kernel

__all__ = ["Queries", "back_up_if_due", "report_plan"]

T = TypeVar("T")
log = logging.getLogger("kombuse.backups")
_THREADS = 8


def back_up_if_due(kernel: Kernel) -> None:
    kernel.services.get(Backups).begin_if_due()


def report_plan(kernel: Kernel) -> None:
    """A plan that nobody follows must not look like one that is followed."""
    problem = kernel.services.get(Backups).plan.problem
    if problem is not None:
        log.warning("no backups are made by themselves: %s", problem)


class Queries:
    """At most `_THREADS` queries run or wait at once; a further one gets Unavailable.

    Each ends within the explorer's time limit, so nobody waits longer than that.
    """

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self._threads = ThreadPoolExecutor(_THREADS, "kombuse-explorer")
        self._free = threading.BoundedSemaphore(_THREADS)
        self._is_closed = False

    async def query(self, sql: str, params: list[Param], limit: int) -> QueryResult:
        return await self._call(lambda: self._explorer.query(sql, params, limit))

    async def tables(self) -> list[dict[str, Any]]:
        return await self._call(self._explorer.tables)

    async def describe(self, table: str) -> dict[str, Any]:
        found = await self._call(lambda: self._explorer.describe(table))
        if found is None:
            raise NotFound(f"Table '{table}' not found")
        return found

    def close(self) -> None:
        """Ends what runs; later calls get Unavailable."""
        self._is_closed = True
        self._explorer.close()
        self._threads.shutdown()

    async def _call(self, work: Callable[[], T]) -> T:
        if self._is_closed or not self._free.acquire(blocking=False):
            raise Unavailable("The database explorer is busy, try again later")
        future = self._threads.submit(work)
        future.add_done_callback(lambda _: self._free.release())
        return await asyncio.wrap_future(future)
