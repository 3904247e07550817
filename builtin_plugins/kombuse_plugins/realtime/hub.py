"""The hub: who listens to what, and what is told to whom. The provider of Live and Greetings.

Everything that is told stands in one queue, so that messages arrive in the order in which they were
published, and events before the messages that were published after their commit. Events are read
from their log when it is their turn: its order is the order of the commits, whichever thread was
first to say that there is something new.
"""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kombuse_plugins.realtime import queries
from kombuse_plugins.realtime.connection import Connection, Ending
from kombuse_plugins.realtime.frames import Frame, event_frame, message_frame
from kombuse_sdk.contracts import Projects
from kombuse_sdk.errors import NotFound
from kombuse_sdk.storage import Database, ReadTx, Row

__all__ = ["Hub"]

log = logging.getLogger("kombuse.realtime")
_SENDS_AT_ONCE = 500
_EVENTS_AT_ONCE = 50
_MAX_INBOX_BYTES = 64 * 1024 * 1024
_TRY_AGAIN_LATER = 1013


@dataclass(frozen=True, slots=True)
class _Post:
    """A message on its way; without a frame it says that there are new events."""

    topics: tuple[str, ...] = ()
    frame: Frame | None = None
    sender: str | None = None

    @property
    def size(self) -> int:
        return self.frame.size if self.frame else 0


class Hub:
    """Belongs to the server's loop but for `publish` and `events_committed`.

    A turn of the loop sends only so much, then it is others' turn: the clients' own, above all, so
    that nobody is taken for slow because much was published at once.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._clients: dict[str, Connection] = {}
        self._listeners: dict[str, dict[Connection, None]] = {}
        self._greetings: dict[str, Callable[[], Mapping[str, Any] | None]] = {}
        self._seen = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._inbox: deque[_Post] = deque()
        self._inbox_size = 0
        self._is_due = False
        self._are_events_due = False
        self._is_flooded = False

    def publish(
        self, topics: Sequence[str], message: Mapping[str, Any], *, sender: str | None = None
    ) -> None:
        if sender in self._clients or any(topic in self._listeners for topic in topics):
            self._post(_Post(tuple(topics), message_frame(message), sender))

    def greet(self, topic: str, greeting: Callable[[], Mapping[str, Any] | None]) -> None:
        self._greetings[topic] = greeting

    def greetings(self, topics: Iterable[str]) -> Iterable[Mapping[str, Any]]:
        """What a client that subscribes to these topics is told first."""
        for topic in topics:
            greeting = self._greetings.get(topic)
            message = greeting() if greeting else None
            if message is not None:
                yield message

    def events_committed(self) -> None:
        """There are new events in the log. From any thread."""
        if self._listeners:
            self._post(_Post())

    def join(self) -> Connection:
        self._loop = asyncio.get_running_loop()
        client = Connection(lambda to, message: self.publish((), message, sender=to))
        self._clients[client.id] = client
        return client

    def leave(self, client: Connection) -> None:
        self.unsubscribe(client, list(client.topics))
        self._clients.pop(client.id, None)

    def subscribe(self, client: Connection, topics: Iterable[str]) -> None:
        was_silent = not self._listeners
        for topic in topics:
            client.topics[topic] = None
            self._listeners.setdefault(topic, {})[client] = None
        if was_silent and self._listeners:
            # Only now: of an event that is committed in between, its writer would see no listener.
            with self._db.read() as tx:
                self._seen = queries.newest_id(tx)

    def unsubscribe(self, client: Connection, topics: Iterable[str]) -> None:
        for topic in topics:
            client.topics.pop(topic, None)
            listeners = self._listeners.get(topic, {})
            listeners.pop(client, None)
            if not listeners:
                self._listeners.pop(topic, None)

    def _post(self, post: _Post) -> None:
        with self._lock:
            if post.frame is None:
                if self._are_events_due:
                    return
                self._are_events_due = True
            if self._inbox_size + post.size > _MAX_INBOX_BYTES:
                self._is_flooded = True
            else:
                self._inbox.append(post)
                self._inbox_size += post.size
            self._schedule()

    def _schedule(self) -> None:
        if self._is_due or self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._work)
            self._is_due = True
        except RuntimeError:  # the loop has ended, and with it the clients
            self._inbox.clear()
            self._inbox_size = 0
            self._are_events_due = False

    def _work(self) -> None:
        left = _SENDS_AT_ONCE
        try:
            while left > 0 and (post := self._next()) is not None:
                left -= max(1, self._tell(post))
        finally:
            with self._lock:
                self._is_due = False
                if self._inbox:
                    self._schedule()

    def _tell(self, post: _Post) -> int:
        """How many messages it made."""
        if post.frame is None:
            return self._tell_events()
        clients = self._reached(post.topics, post.sender)
        for client in clients:
            client.put(post.frame)
        return len(clients)

    def _next(self) -> _Post | None:
        with self._lock:
            if self._is_flooded:
                self._give_up()
            if not self._inbox:
                return None
            post = self._inbox.popleft()
            self._inbox_size -= post.size
            if post.frame is None:
                self._are_events_due = False
            return post

    def _give_up(self) -> None:
        """More was published than can be sent: nobody is up to date any more."""
        log.warning("more is published than can be sent: %d clients dropped", len(self._clients))
        for client in self._clients.values():
            client.end(Ending(_TRY_AGAIN_LATER, "Overloaded: reconnect and get /api/sync/state"))
        self._inbox.clear()
        self._inbox_size = 0
        self._are_events_due = False
        self._is_flooded = False

    def _tell_events(self) -> int:
        """The next events of the log; how many messages they made."""
        try:
            with self._db.read() as tx:
                return self._read_and_tell(tx)
        except Exception:
            log.exception("events were not told")
            return 0

    def _read_and_tell(self, tx: ReadTx) -> int:
        if not self._listeners:
            return 0
        rows = queries.events(tx, self._seen, _EVENTS_AT_ONCE)
        if not rows:
            return 0
        self._seen = rows[-1]["id"]
        slugs: dict[str, str | None] = {}
        audiences = {}
        for row in rows:
            audience = self._reached(_topics_of(row, _slug(tx, row["project_id"], slugs)))
            if audience:
                audiences[row["id"]] = audience
        wires = queries.wires(tx, list(audiences)) if audiences else {}
        for event_id, audience in audiences.items():
            frames: dict[str, Frame] = {}
            for client, topic in audience.items():
                if topic not in frames:
                    frames[topic] = event_frame(topic, wires[event_id])
                client.put(frames[topic])
        if len(rows) == _EVENTS_AT_ONCE:
            with self._lock:
                self._inbox.appendleft(_Post())
        return len(rows) + sum(map(len, audiences.values()))

    def _reached(self, topics: Iterable[str], sender: str | None = None) -> dict[Connection, str]:
        """Each client once, with the first of the topics that it listens to."""
        found: dict[Connection, str] = {}
        if sender is not None and sender in self._clients:
            found[self._clients[sender]] = ""
        for topic in topics:
            for client in self._listeners.get(topic, ()):
                found.setdefault(client, topic)
        return found


def _topics_of(event: Row, slug: str | None) -> list[str]:
    """All that the event is told under, the most telling first."""
    projects = [name for name in (event["project_id"], slug) if name is not None]
    topics = [f"project:{name}" for name in projects]
    if event["ticket_id"] is not None:
        topics.append(f"ticket:{event['ticket_id']}")
        topics += [f"ticket:{name}:{event['ticket_number']}" for name in projects]
    if event["kombuse_session_id"] is not None:
        topics.append(f"session:{event['kombuse_session_id']}")
    return [*topics, "*"]


def _slug(tx: ReadTx, project_id: str | None, known: dict[str, str | None]) -> str | None:
    if project_id is None:
        return None
    if project_id not in known:
        projects = tx.services.find(Projects)
        try:
            known[project_id] = projects.get(tx, project_id).load()["slug"] if projects else None
        except NotFound:
            known[project_id] = None
    return known[project_id]
