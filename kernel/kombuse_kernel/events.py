"""The dispatcher: hands the event log to durable subscribers, each event exactly once.

A subscriber's writes and its position commit together. The single writer and AUTOINCREMENT make
id order commit order, so a stored position never skips an event.
"""

import json
import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from kombuse_sdk.events import StoredEvent
from kombuse_sdk.types import Subscriber

if TYPE_CHECKING:
    from kombuse_kernel.database import SqliteDatabase

__all__ = ["Dispatcher"]

log = logging.getLogger("kombuse.events")
_BATCH = 100
_PAUSES = (0.4, 1.6)  # seconds between the attempts to deliver an event


class Dispatcher:
    def __init__(self, db: "SqliteDatabase", subscribers: Sequence[Subscriber]) -> None:
        self._db = db
        self._subscribers = subscribers
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._draining = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="kombuse-events", daemon=True)

    def start(self) -> None:
        """Give new subscribers their position, then follow the log until `stop`."""
        self.register()
        if self._subscribers:
            self._db.on_events = self._wake.set
            self._wake.set()
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def register(self) -> None:
        if not self._subscribers:
            return
        with self._db.write() as tx:
            newest = tx.value("SELECT ifnull(max(id), 0) FROM events")
            for subscriber in self._subscribers:
                start = newest if subscriber.start == "now" else 0
                sql = "INSERT OR IGNORE INTO event_cursors VALUES (?, ?)"
                tx.execute(sql, (subscriber.name, start))

    def drain(self) -> int:
        """Deliver everything that is there; the number of deliveries. Tests call it directly."""
        with self._draining:
            total = 0
            while True:
                batches = [self._batch(subscriber) for subscriber in self._subscribers]
                total += sum(delivered for _, delivered in batches)
                if not any(seen for seen, _ in batches):
                    return total

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                self.drain()
            except Exception:
                log.exception("the event dispatcher failed; it goes on with the next event")

    def _batch(self, subscriber: Subscriber) -> tuple[int, int]:
        """How many events were passed, and how many of them were delivered."""
        with self._db.read() as reader:
            position = reader.value(
                "SELECT last_event_id FROM event_cursors WHERE subscriber = ?", (subscriber.name,)
            )
            sql = "SELECT * FROM events WHERE id > ? ORDER BY id LIMIT ?"
            rows = reader.all(sql, (position, _BATCH))
        delivered = 0
        for row in rows:
            if self._stopping.is_set():
                return 0, delivered
            if not subscriber.event_types or row["event_type"] in subscriber.event_types:
                if not self._deliver(subscriber, _stored(row)):
                    return 0, delivered
                delivered += 1
        if rows:
            self._advance(subscriber, rows[-1]["id"])
        return len(rows), delivered

    def _deliver(self, subscriber: Subscriber, event: StoredEvent) -> bool:
        """False when the server stops before the event could be delivered or given up."""
        for pause in (*_PAUSES, None):
            try:
                with self._db.write() as tx:
                    moved = tx.execute(
                        "UPDATE event_cursors SET last_event_id = :event"
                        " WHERE subscriber = :name AND last_event_id < :event",
                        {"event": event.id, "name": subscriber.name},
                    )
                    if moved:
                        subscriber.handle(tx, event)
                return True
            except Exception as error:
                log.warning("%s failed on event %s: %s", subscriber.name, event.id, error)
                if pause is None:
                    self._give_up(subscriber, event, error)
                elif self._stopping.wait(pause):
                    return False
        return True

    def _give_up(self, subscriber: Subscriber, event: StoredEvent, error: Exception) -> None:
        with self._db.write() as tx:
            tx.execute(
                "INSERT OR REPLACE INTO event_failures (subscriber, event_id, error, created_at)"
                " VALUES (?, ?, ?, ?)",
                (subscriber.name, event.id, f"{type(error).__name__}: {error}", tx.now),
            )
            tx.execute(
                "UPDATE event_cursors SET last_event_id = ? WHERE subscriber = ?",
                (event.id, subscriber.name),
            )

    def _advance(self, subscriber: Subscriber, event_id: int) -> None:
        """Pass over events that the subscriber did not ask for."""
        with self._db.write() as tx:
            tx.execute(
                "UPDATE event_cursors SET last_event_id = max(last_event_id, ?)"
                " WHERE subscriber = ?",
                (event_id, subscriber.name),
            )


def _stored(row: Any) -> StoredEvent:
    return StoredEvent(**{**dict(row), "payload": json.loads(row["payload"])})
