"""What clients and the event log are told of updates."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from kombuse_sdk.contracts import Live
from kombuse_sdk.events import Event
from kombuse_sdk.types import Kernel
from kombuse_sdk.updates import Kind, UpdateInfo, UpdateStatus

__all__ = ["TOPICS", "Announcements", "shown_info", "shown_status"]

TOPICS: Mapping[Kind, str] = {"app": "updates", "shell": "shell-updates"}
_TYPES: Mapping[Kind, str] = {"app": "update:status", "shell": "shell-update:status"}
_PAUSE_SECONDS = 0.2


class Announcements:
    """Of one updater. Mere progress is told at most five times a second, other changes always."""

    def __init__(
        self, kernel: Kernel, kind: Kind, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kernel = kernel
        self._kind = kind
        self._clock = clock
        self._state = ""
        self._told_at = 0.0

    def message(self, status: UpdateStatus, is_dismissed: bool = False) -> dict[str, Any]:
        return {"type": _TYPES[self._kind], "status": shown_status(status, is_dismissed)}

    def status_changed(self, status: UpdateStatus, is_dismissed: bool = False) -> None:
        now = self._clock()
        if status.state == self._state == "downloading" and now < self._told_at + _PAUSE_SECONDS:
            return
        self._state, self._told_at = status.state, now
        live = self._kernel.services.find(Live)
        if live is not None:
            live.publish((TOPICS[self._kind], "*"), self.message(status, is_dismissed))

    def record(self, event_type: str, **payload: Any) -> None:
        with self._kernel.db.write() as tx:
            payload = {"kind": self._kind, **payload}
            tx.emit(Event(event_type=event_type, actor_type="system", payload=payload))


def shown_status(status: UpdateStatus, is_dismissed: bool = False) -> dict[str, Any]:
    """As the API and the messages have it: what is not known is absent."""
    optional = {
        "bytesDownloaded": status.bytes_downloaded,
        "dismissed": True if is_dismissed else None,
    }
    return {
        "state": status.state,
        "currentVersion": status.current_version,
        "updateInfo": shown_info(status.info),
        "downloadProgress": status.progress,
        "error": status.error,
    } | {name: value for name, value in optional.items() if value is not None}


def shown_info(info: UpdateInfo | None) -> dict[str, Any] | None:
    if info is None:
        return None
    optional = {"checksumUrl": info.checksum_url, "releaseUrl": info.release_url}
    return {
        "version": info.version,
        "downloadUrl": info.download_url,
        "releaseNotes": info.release_notes,
        "publishedAt": info.published_at,
    } | {name: value for name, value in optional.items() if value}
