"""Writes the events of all sessions in batches, and streams them once they are committed.

A session that talks faster than the disk takes it waits in `put`: what is not written yet is
bounded per session, so that memory stays flat and no session waits for another's flood.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kombuse_plugins.sessions import tool_calls
from kombuse_plugins.sessions.payloads import Entry
from kombuse_sdk.storage import Database, WriteTx

__all__ = ["Channel", "Recorder", "append"]

log = logging.getLogger("kombuse.sessions")
_BATCH_ENTRIES = 200
_BATCH_CHARACTERS = 512 * 1024
_WAITING_ENTRIES = 400
_WAITING_CHARACTERS = 1024 * 1024
_PAUSE_SECONDS = 0.02
_RETRY_SECONDS = (0.2, 1.0)

_LONGEST_PAUSE_MS = 300_000

_HEAD = """
    SELECT id, project_id, last_event_seq, last_event_ms FROM sessions WHERE kombuse_session_id = ?
"""
_INSERT = """
    INSERT INTO session_events
        (session_id, kombuse_session_id, seq, event_type, created_at, payload)
    VALUES (?, ?, ?, ?, ?, ?)
"""
_ADVANCE = """
    UPDATE sessions SET last_event_seq = ?, last_event_ms = ?, active_ms = active_ms + ?,
        updated_at = ?
    WHERE id = ?
"""
Publish = Callable[["Channel", int, Entry], None]


def append(tx: WriteTx, session_id: str, entries: Sequence[Entry]) -> list[int] | None:
    """Store events behind the last one of the session; their numbers, None if it is gone."""
    head = tx.one(_HEAD, (session_id,))
    if head is None:
        return None
    row_id, last, before = head["id"], head["last_event_seq"], head["last_event_ms"]
    active = 0
    for seq, item in enumerate(entries, last + 1):
        tx.execute(_INSERT, (row_id, session_id, seq, item.event_type, tx.now, item.text))
        tool_calls.record(tx, row_id, head["project_id"], item)
        happened = item.payload["timestamp"]
        if before is not None and abs(happened - before) <= _LONGEST_PAUSE_MS:
            active += happened - before
        before = happened
    tx.execute(_ADVANCE, (last + len(entries), before, active, tx.now, row_id))
    return list(range(last + 1, last + len(entries) + 1))


@dataclass(slots=True, eq=False)
class Channel:
    """One session's way to the recorder; `sender` also gets what is streamed.

    `failure` is what became of events that could not be written.
    """

    session_id: str
    sender: str | None = None
    failure: Exception | None = None
    waiting: int = 0
    characters: int = 0
    room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_full(self) -> bool:
        return self.waiting >= _WAITING_ENTRIES or self.characters >= _WAITING_CHARACTERS


class Recorder:
    """Lives on the runner's loop; `run` is its one task."""

    def __init__(self, db: Database, publish: Publish) -> None:
        self._db = db
        self._publish = publish
        self._queue: deque[tuple[Channel, Entry]] = deque()
        self._work = asyncio.Event()
        self._hurry = asyncio.Event()
        self._flushes: list[tuple[int, asyncio.Future[None]]] = []
        self._put = 0
        self._done = 0

    async def put(self, channel: Channel, item: Entry) -> None:
        """Queue an event; waits while too many of this session are not written yet."""
        while channel.is_full:
            channel.room.clear()
            await channel.room.wait()
        self.put_now(channel, item)

    def put_now(self, channel: Channel, item: Entry) -> None:
        channel.waiting += 1
        channel.characters += len(item.text)
        self._queue.append((channel, item))
        self._put += 1
        self._work.set()

    async def flush(self) -> None:
        """Wait until everything that was put so far is written and streamed."""
        if self._done < self._put:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._flushes.append((self._put, done))
            self._hurry.set()
            await done

    async def run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue:
                batch = self._take()
                try:
                    await self._write(batch)
                except Exception:
                    log.exception("events of sessions were not recorded")
                self._done += len(batch)
                self._answer_flushes()
                if not self._flushes:
                    await self._rest()

    def _answer_flushes(self) -> None:
        for target, done in self._flushes:
            if target <= self._done and not done.done():
                done.set_result(None)
        self._flushes = [item for item in self._flushes if not item[1].done()]

    async def _rest(self) -> None:
        """Let events gather, and other work have the processor, unless somebody is waiting."""
        self._hurry.clear()
        try:
            await asyncio.wait_for(self._hurry.wait(), _PAUSE_SECONDS)
        except TimeoutError:
            pass

    def _take(self) -> list[tuple[Channel, Entry]]:
        batch: list[tuple[Channel, Entry]] = []
        characters = 0
        while self._queue and len(batch) < _BATCH_ENTRIES:
            characters += len(self._queue[0][1].text)
            if batch and characters > _BATCH_CHARACTERS:
                break
            batch.append(self._queue.popleft())
        return batch

    async def _write(self, batch: list[tuple[Channel, Entry]]) -> None:
        by_session: dict[Channel, list[Entry]] = {}
        for channel, item in batch:
            by_session.setdefault(channel, []).append(item)
        try:
            written = await self._stored(by_session)
        finally:
            for channel, item in batch:
                channel.waiting -= 1
                channel.characters -= len(item.text)
                channel.room.set()
        for channel, numbers in written.items():
            for seq, item in zip(numbers, by_session[channel], strict=True):
                if item.is_streamed:
                    self._publish(channel, seq, item)

    async def _stored(self, items: dict[Channel, list[Entry]]) -> dict[Channel, list[int]]:
        """All in one transaction; when that fails each session alone, and then with patience."""

        def write(tx: WriteTx) -> dict[Channel, list[int]]:
            found = {c: append(tx, c.session_id, entries) for c, entries in items.items()}
            return {channel: numbers for channel, numbers in found.items() if numbers}

        try:
            return await self._db.write_async(write)
        except Exception as error:
            log.warning("events of sessions were not written at once: %s", error)
        written: dict[Channel, list[int]] = {}
        for channel, entries in items.items():
            numbers = await self._stored_alone(channel, entries)
            if numbers:
                written[channel] = numbers
        return written

    async def _stored_alone(self, channel: Channel, entries: list[Entry]) -> Any:
        for pause in (*_RETRY_SECONDS, None):
            try:
                return await self._db.write_async(
                    lambda tx: append(tx, channel.session_id, entries)
                )
            except Exception as error:
                if pause is None:
                    log.error("events of %s are lost: %s", channel.session_id, error)
                    channel.failure = error
                    return None
                await asyncio.sleep(pause)
        return None
