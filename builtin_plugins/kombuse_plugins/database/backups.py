"""Backups of the running server: on demand, and every so often when the configuration says so."""

import logging
import re
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kombuse_sdk import backups
from kombuse_sdk.errors import Conflict, Unavailable
from kombuse_sdk.schemas import timestamp
from kombuse_sdk.types import Kernel

__all__ = ["Backups", "Plan", "read_plan"]

log = logging.getLogger("kombuse.backups")

_UNITS = {"m": 60, "h": 3600, "d": 86400}
_EVERY = re.compile(r"(\d{1,6})\s*([mhd])", re.ASCII)
_KEPT = 7
_RETRY_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`every` is None when no backups are to be made by themselves; `problem` says why not."""

    every: timedelta | None = None
    keep: int = _KEPT
    problem: str | None = None


def read_plan(values: Mapping[str, Any]) -> Plan:
    """`{"backup": {"every": "24h", "keep": 7}}` of the configuration; minutes, hours or days."""
    given = values.get("backup")
    if given is None:
        return Plan()
    if not isinstance(given, dict):
        return Plan(problem="backup is not an object")
    every, keep = given.get("every"), given.get("keep", _KEPT)
    if every is None:
        return Plan()
    match = _EVERY.fullmatch(every) if isinstance(every, str) else None
    if match is None or int(match[1]) == 0:
        return Plan(problem=f"backup.every is {every!r}, not a time as 24h or 30m")
    if not isinstance(keep, int) or isinstance(keep, bool) or keep < 1:
        return Plan(problem=f"backup.keep is {keep!r}, not a whole number above 0")
    return Plan(every=timedelta(seconds=int(match[1]) * _UNITS[match[2]]), keep=keep)


class Backups:
    """One at a time, in a thread of its own; a failure is logged and stays to be read."""

    def __init__(self, kernel: Kernel) -> None:
        self._config = kernel.config
        self._folder = kernel.config.home / "backups"
        self.plan = read_plan(kernel.config.values)
        self._busy = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: dict[str, str] | None = None

    def status(self) -> dict[str, Any]:
        every = self.plan.every
        return {
            "every_seconds": None if every is None else int(every.total_seconds()),
            "keep": self.plan.keep,
            "problem": self.plan.problem,
            "running": self._busy.locked(),
            "last_failure": self._failure,
            "folder": str(self._folder),
            "backups": backups.list_backups(self._folder),
        }

    def begin_if_due(self) -> threading.Thread | None:
        """For the job: a long backup must hold up neither it nor the end of the server."""
        if self._busy.locked() or not self._is_due(datetime.now(UTC)):
            return None
        self._thread = threading.Thread(target=self._scheduled, name="backup", daemon=True)
        self._thread.start()
        return self._thread

    def make(self, kind: str = "manual") -> backups.Backup:
        """Raises Conflict while another one is made, Unavailable when it fails."""
        if not self._busy.acquire(blocking=False):
            raise Conflict("A backup is being made already")
        try:
            return self._make(kind)
        except backups.Stopped as error:
            raise Unavailable("The server ends") from error
        except (backups.BackupError, sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._failure = {"at": timestamp(), "error": reason}
            log.error("the backup failed, and was not kept: %s", reason)
            raise Unavailable(f"The backup failed: {reason}") from error
        finally:
            self._busy.release()

    def close(self) -> None:
        """Give up what is under way."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _scheduled(self) -> None:
        backups.clear_leavings(self._folder)
        with suppress(Conflict, Unavailable):  # logged already
            self.make("scheduled")
            for name in backups.prune(self._folder, self.plan.keep):
                log.info("the old backup %s was removed", name)

    def _make(self, kind: str) -> backups.Backup:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        name = backups.new_name(kind)
        database, uploads = self._config.database_path, self._config.uploads
        backups.write_archive(database, uploads, self._folder / name, self._stopping.is_set)
        self._failure = None
        return next(item for item in backups.list_backups(self._folder) if item.name == name)

    def _is_due(self, now: datetime) -> bool:
        if self.plan.every is None or self._stopping.is_set():
            return False
        failed = self._failure
        if failed and now - _moment(failed["at"]) < min(_RETRY_AFTER, self.plan.every):
            return False
        made = [item for item in backups.list_backups(self._folder) if item.kind == "scheduled"]
        return not made or now - _moment(made[0].created_at) >= self.plan.every


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
