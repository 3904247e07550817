"""Updates as the API has them: one updater for each kind, asked in threads of its own."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from pydantic_core import to_json
from starlette.responses import Response

from kombuse_plugins.updates.announcements import (
    TOPICS,
    Announcements,
    shown_info,
    shown_status,
)
from kombuse_plugins.updates.states import NothingToGoBackTo
from kombuse_sdk.contracts import Greetings, Settings
from kombuse_sdk.errors import Conflict, KombuseError, Unavailable
from kombuse_sdk.types import Kernel
from kombuse_sdk.updates import Kind, ReversibleUpdater, Updater, UpdateStatus

__all__ = ["DISMISSED", "Updates", "check_when_due"]

log = logging.getLogger("kombuse.updates")
T = TypeVar("T")
DISMISSED: Mapping[Kind, str] = {
    "app": "updates.dismissed_version",
    "shell": "shell_updates.dismissed_version",
}
_ABSENT: Mapping[Kind, str] = {
    "app": "Updates not available",
    "shell": "Shell updates not available",
}
_HOUR = 3600.0


class UpdaterFailed(KombuseError):
    """What an updater raised that is no error of ours."""


class Updates:
    """Updaters are looked for when they are first asked for."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._lock = threading.RLock()
        self._updaters: dict[Kind, Updater | None] = {}
        self._announced: dict[Kind, str] = {}
        self._announcements = {kind: Announcements(kernel, kind) for kind in TOPICS}
        self._due_at = 0.0

    def start(self) -> None:
        greetings = self._kernel.services.find(Greetings)
        if greetings is not None:
            for kind, topic in TOPICS.items():
                greetings.greet(topic, partial(self._greeting, kind))

    def status(self, kind: Kind) -> dict[str, Any]:
        status = self._updater(kind).status()
        return shown_status(status, self._is_dismissed(kind, status))

    async def check(self, kind: Kind, *, is_forced: bool) -> dict[str, Any]:
        updater = self._updater(kind)
        if is_forced and kind == "app":
            updater.clear_cache()
        return await _in_thread(partial(self.check_now, kind))

    def check_now(self, kind: Kind) -> dict[str, Any]:
        updater = self._updater(kind)
        with _failures_told("Check failed"):
            info = updater.check()
        current = updater.status().current_version
        if info is not None and self._announced.get(kind) != info.version:
            self._announced[kind] = info.version
            self._record(kind, "update.available", version=info.version, current_version=current)
        return {
            "hasUpdate": info is not None,
            "updateInfo": shown_info(info),
            "currentVersion": current,
        }

    async def install(self, kind: Kind, *, is_awaited: bool) -> Any:
        updater = self._updater(kind)
        state = updater.status().state
        if state in ("downloading", "verifying"):
            raise Conflict("Update already in progress")
        if state != "available" and not (state == "checking" and is_awaited):
            raise Conflict("No update available")
        installing = _in_thread(partial(self._install, kind, updater))
        if is_awaited:
            await installing
            return {"success": True}
        installing.add_done_callback(_log_failure)
        answer = to_json({"success": True, "state": "downloading"})
        return Response(answer, 202, media_type="application/json")

    async def rollback(self, kind: Kind) -> dict[str, Any]:
        updater = self._updater(kind)
        if not isinstance(updater, ReversibleUpdater):
            raise NothingToGoBackTo
        with _failures_told("Rollback failed"):
            version = await _in_thread(updater.rollback)
        return {"success": True, "currentVersion": version}

    async def versions(self, kind: Kind) -> list[dict[str, Any]]:
        updater = self._updater(kind)
        if not isinstance(updater, ReversibleUpdater):
            return []
        found = await _in_thread(updater.versions)
        return [
            {
                "version": item.version,
                "path": item.path,
                "isCurrent": item.is_current,
                "installed_at": item.installed_at,
            }
            for item in found
        ]

    async def dismiss(self, kind: Kind, version: str) -> None:
        updater = self._updater(kind)
        await self._kernel.db.write_async(
            lambda tx: tx.services.get(Settings).store(tx, DISMISSED[kind], version)
        )
        await _in_thread(lambda: self._status_changed(kind, updater.status()))

    def check_when_due(self, hours: float) -> None:
        """Ask all updaters, once in so many hours; how they fail is in their status."""
        if not hours or time.monotonic() < self._due_at:
            return
        self._due_at = time.monotonic() + hours * _HOUR
        for kind in TOPICS:
            try:
                self.check_now(kind)
            except Exception as error:
                log.info("no %s update: %s", kind, error)

    def _updater(self, kind: Kind) -> Updater:
        with self._lock:
            if kind not in self._updaters:
                found = self._kernel.first("kombuse_updater", kernel=self._kernel, kind=kind)
                self._updaters[kind] = found
                if found is not None:
                    found.subscribe(partial(self._status_changed, kind))
            updater = self._updaters[kind]
        if updater is None:
            raise Unavailable(_ABSENT[kind])
        return updater

    def _install(self, kind: Kind, updater: Updater) -> None:
        before = updater.status()
        version = before.info.version if before.info else None
        try:
            with _failures_told("Install failed"):
                updater.install()
        except Conflict:
            raise
        except KombuseError as error:
            self._record(kind, "update.failed", version=version, error=error.message)
            raise
        installed = updater.status().current_version
        former = before.current_version
        self._record(kind, "update.installed", version=installed, former_version=former)

    def _status_changed(self, kind: Kind, status: UpdateStatus) -> None:
        self._announcements[kind].status_changed(status, self._is_dismissed(kind, status))

    def _record(self, kind: Kind, event_type: str, **payload: Any) -> None:
        self._announcements[kind].record(event_type, **payload)

    def _greeting(self, kind: Kind) -> Mapping[str, Any] | None:
        try:
            status = self._updater(kind).status()
        except Unavailable:
            return None
        return self._announcements[kind].message(status, self._is_dismissed(kind, status))

    def _is_dismissed(self, kind: Kind, status: UpdateStatus) -> bool:
        if status.info is None:
            return False
        with self._kernel.db.read() as tx:
            return tx.services.get(Settings).value(tx, DISMISSED[kind]) == status.info.version


def check_when_due(kernel: Kernel) -> None:
    """In a thread for which the end of the server does not wait."""
    from kombuse_plugins.updates.configuration import of_config

    try:
        configuration = of_config(kernel.config.values)
    except Unavailable:
        return  # which whoever asks for the status is told
    if configuration.enabled:
        check = partial(kernel.services.get(Updates).check_when_due, configuration.auto_check_hours)
        threading.Thread(target=check, name="update-check", daemon=True).start()


@contextmanager
def _failures_told(text: str) -> Iterator[None]:
    """Errors of any kind as ours, with their own text or else this one."""
    try:
        yield
    except KombuseError:
        raise
    except Exception as error:
        log.exception("an updater failed")
        raise UpdaterFailed(str(error) or text) from error


def _in_thread(work: Callable[[], T]) -> "asyncio.Future[T]":
    """In a thread of its own, for which the end of the server does not wait."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if future.cancelled():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(tell, result, error)
        except RuntimeError:
            log.info("an update ended after the server")

    threading.Thread(target=run, name="update", daemon=True).start()
    return future


def _log_failure(future: "asyncio.Future[None]") -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        log.warning("the update failed: %s", error)
