"""The states of an updater: what follows on what, and who waits for whom."""

import threading
from collections.abc import Callable
from dataclasses import replace

from kombuse_sdk.errors import Conflict
from kombuse_sdk.updates import Listener, UpdateInfo, UpdateStatus

__all__ = ["Cycle", "NothingToGoBackTo"]

_BUSY = ("downloading", "verifying")
_WHOLE = 100


class NothingToGoBackTo(Conflict):
    def __init__(self) -> None:
        super().__init__("No previous version")


class Cycle:
    """idle, checking, available, downloading, verifying, ready; error from wherever it happens.

    One check runs at a time: who asks meanwhile gets its result. `current` tells the version that
    the next start has.
    """

    def __init__(self, current: Callable[[], str]) -> None:
        self._current = current
        self._status = UpdateStatus(state="idle", current_version="")
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()
        self._checking = threading.Lock()
        self._checks = 0
        self._failure: BaseException | None = None

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def status(self) -> UpdateStatus:
        return replace(self._status, current_version=self._current())

    def check(self, find: Callable[[], UpdateInfo | None]) -> UpdateInfo | None:
        """`find` is not called while an update is installed; its errors are the state `error`."""
        seen = self._checks
        with self._checking:
            with self._lock:
                before = self._status
            if before.state in _BUSY:
                return before.info
            if seen != self._checks:
                return self._result()
            self._check(before, find)
            return self._result()

    def install(self, perform: Callable[[UpdateInfo], None]) -> None:
        """Raises Conflict when nothing was found, or when it is on its way already."""
        with self._checking:
            with self._lock:
                state, info = self._status.state, self._status.info
            if state in _BUSY:
                raise Conflict("Update already in progress")
            if state != "available" or info is None:
                raise Conflict("No update available")
            self._set(state="downloading", progress=0)
        try:
            perform(info)
        except BaseException as error:
            self._fail(error)
            raise
        self._set(state="ready", progress=_WHOLE, bytes_downloaded=None)

    def rollback(self, perform: Callable[[], str]) -> str:
        with self._checking:
            if self._status.state in _BUSY:
                raise Conflict("Update already in progress")
            version = perform()
            self._set(state="idle", info=None, progress=0, error=None)
        return version

    def downloaded(self, size: int, total: int | None) -> None:
        progress = -1 if not total else min(_WHOLE, size * _WHOLE // total)
        self._set(progress=progress, bytes_downloaded=size)

    def unmeasured(self) -> None:
        """The download runs, and cannot tell how far it is."""
        self._set(progress=-1)

    def verifying(self) -> None:
        self._set(state="verifying", progress=_WHOLE)

    def _check(self, before: UpdateStatus, find: Callable[[], UpdateInfo | None]) -> None:
        self._failure = None
        self._set(state="checking", error=None)
        try:
            info = find()
        except BaseException as error:
            self._failure = error
            self._fail(error)
            raise
        finally:
            self._checks += 1
        if info is not None:
            self._set(state="available", info=info, progress=0)
        elif before.state == "ready":
            self._set(state="ready")
        else:
            self._set(state="idle", info=None, progress=0)

    def _result(self) -> UpdateInfo | None:
        """Of the check that ended last."""
        if self._failure is not None:
            raise self._failure
        return self._status.info if self._status.state == "available" else None

    def _fail(self, error: BaseException) -> None:
        text = str(error) or "Unknown error"
        self._set(state="error", info=None, progress=0, bytes_downloaded=None, error=text)

    def _set(self, **changes: object) -> None:
        with self._lock:
            self._status = replace(self._status, **changes)  # type: ignore[arg-type]
        status = self.status()
        for listener in self._listeners:
            listener(status)
