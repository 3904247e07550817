"""The dispatcher: hands the event log to durable subscribers, each event exactly once.

A subscriber's writes and its position commit together. The single writer and AUTOINCREMENT make
id order commit order, so a stored position never skips an event. Events that a subscriber did not
ask for are passed in memory and noted only now and then: passing them again does no harm.
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
    from kombuse_sdk.storage import ReadTx

__all__ = ["Dispatcher"]

log = logging.getLogger("kombuse.events")
_BATCH = 100
_NOTED_EVERY = 1000
_GATHERING = 0.005  # seconds: events come in bursts
_PAUSES = (0.4, 1.6)  # seconds between the attempts to deliver an event


class Dispatcher:
    def __init__(self, db: "SqliteDatabase", subscribers: Sequence[Subscriber]) -> None:
        self._db = db
        self._subscribers = subscribers
        self._positions: dict[str, int] = {}
        self._noted: dict[str, int] = {}
        self._wanted = frozenset().union(*(item.event_types for item in subscribers))
        self._wants_all = not all(item.event_types for item in subscribers)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._draining = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="kombuse-events", daemon=True)

    def start(self) -> None:
        """Give new subscribers their position, then follow the log until `stop`."""
        self.register()
        if self._subscribers:
            self._db.on_events = self._notice
            self._wake.set()
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
            for subscriber in self._subscribers:
                self._note(subscriber)

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
            while not self._stopping.is_set():
                with self._db.read() as reader:
                    newest = reader.value("SELECT ifnull(max(id), 0) FROM events")
                    behind = [s for s in self._subscribers if self._position(reader, s) < newest]
                if not behind:
                    break
                total += sum(self._batch(subscriber, newest) for subscriber in behind)
            return total

    def _notice(self, events: Sequence[StoredEvent]) -> None:
        if self._wants_all or any(event.event_type in self._wanted for event in events):
            self._wake.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.wait()
            self._stopping.wait(_GATHERING)
            self._wake.clear()
            try:
                self.drain()
            except Exception:
                log.exception("the event dispatcher failed; it goes on with the next event")

    def _batch(self, subscriber: Subscriber, newest: int) -> int:
        """Pass or deliver the next events up to the newest; how many were delivered."""
        position = self._positions[subscriber.name]
        types = json.dumps(sorted(subscriber.event_types))
        with self._db.read() as reader:
            rows = reader.all(
                "SELECT * FROM events WHERE id > :position AND id <= :newest AND (:types = '[]'"
                " OR event_type IN (SELECT value FROM json_each(:types))) ORDER BY id LIMIT :batch",
                {"position": position, "newest": newest, "types": types, "batch": _BATCH},
            )
            events = [_stored(row) for row in rows]
            if subscriber.concerns is not None:
                events = [event for event in events if subscriber.concerns(reader, event)]
        for delivered, event in enumerate(events):
            if self._stopping.is_set() or not self._deliver(subscriber, event):
                return delivered
            self._positions[subscriber.name] = self._noted[subscriber.name] = event.id
        self._positions[subscriber.name] = newest if len(rows) < _BATCH else rows[-1]["id"]
        if self._positions[subscriber.name] - self._noted[subscriber.name] >= _NOTED_EVERY:
            self._note(subscriber)
        return len(events)

    def _position(self, reader: "ReadTx", subscriber: Subscriber) -> int:
        if subscriber.name not in self._positions:
            sql = "SELECT last_event_id FROM event_cursors WHERE subscriber = ?"
            self._noted[subscriber.name] = reader.value(sql, (subscriber.name,))
            self._positions[subscriber.name] = self._noted[subscriber.name]
        return self._positions[subscriber.name]

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

    def _note(self, subscriber: Subscriber) -> None:
        """Store how far the subscriber has come."""
        if subscriber.name not in self._positions:
            return
        self._noted[subscriber.name] = self._positions[subscriber.name]
        with self._db.write() as tx:
            tx.execute(
                "UPDATE event_cursors SET last_event_id = max(last_event_id, ?)"
                " WHERE subscriber = ?",
                (self._positions[subscriber.name], subscriber.name),
            )


def _stored(row: Any) -> StoredEvent:
    return StoredEvent(**{**dict(row), "payload": json.loads(row["payload"])})
