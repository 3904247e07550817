"""One SQLite file of a server: one writer at a time in a fair queue, and many readers.

For the programs that own a database: the kernel and the registry server. Plugins are given
transactions and never open one.
"""

import asyncio
import logging
import os
import sqlite3
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import TypeVar

__all__ = ["Begin", "FairLock", "SqliteFile", "connect"]

T = TypeVar("T")
C = TypeVar("C")
Begin = Callable[[], AbstractContextManager[C]]
log = logging.getLogger("kombuse.database")
_READERS = 4
_FOLDED_EVERY = 250  # commits: about 32 MB of log


def connect(path: Path, *, read_only: bool, is_durable: bool = False) -> sqlite3.Connection:
    """A connection in autocommit mode, usable from any thread, foreign keys on.

    With `is_durable` a commit is on the disk before it returns, and not only safe from a crash of
    the process.
    """
    uri = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute(f"PRAGMA cache_size = {-8000 if read_only else -16000}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    else:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
        # For transactions that write 128 MB and more: all others are folded in beside the writing.
        connection.execute("PRAGMA wal_autocheckpoint = 32000")
        connection.execute("PRAGMA foreign_keys = ON")
    return connection


class FairLock:
    """A lock that is handed on in the order in which threads asked for it."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._held = False

    def __enter__(self) -> None:
        with self._mutex:
            if not self._held:
                self._held = True
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._held = False


class SqliteFile:
    """Readable by nobody else, made if need be. `writer` may be used before others know the file.

    `name` is that of its threads. `commits` counts the writes of this process that changed
    anything: it names the state of the data.
    """

    def __init__(self, path: Path, name: str, *, is_durable: bool = False) -> None:
        self.path = path
        self._is_durable = is_durable
        self._turn = FairLock()
        self._folding = threading.Lock()
        self._readers: list[sqlite3.Connection] = []
        self._idle: list[sqlite3.Connection] = []
        self._write_pool = ThreadPoolExecutor(1, f"{name}-write")
        self._read_pool = ThreadPoolExecutor(_READERS, f"{name}-read")
        self.commits = 0
        _prepare(path)
        self.writer = connect(path, read_only=False, is_durable=is_durable)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One consistent view, on the connection that was used last: its cache is warm."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = connect(self.path, read_only=True)
            self._readers.append(connection)
        connection.execute("BEGIN")
        try:
            yield connection
        finally:
            connection.execute("ROLLBACK")
            self._idle.append(connection)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Wait for the turn, run, commit; roll back on any exception."""
        with self._turn:
            changes = self.writer.total_changes
            self.writer.execute("BEGIN IMMEDIATE")
            try:
                yield self.writer
                self.writer.execute("COMMIT")
            except BaseException:
                if self.writer.in_transaction:
                    self.writer.execute("ROLLBACK")
                raise
            if self.writer.total_changes != changes:
                self.commits += 1
                if self.commits % _FOLDED_EVERY == 0:
                    threading.Thread(target=self._fold, name="sqlite-fold", daemon=True).start()

    def in_reader(self, begin: Begin[C], work: Callable[[C], T]) -> Awaitable[T]:
        """Run what reads, in a transaction that it is given, in a thread that may take its time."""
        return asyncio.get_running_loop().run_in_executor(self._read_pool, _in, begin, work)

    def in_writer(self, begin: Begin[C], work: Callable[[C], T]) -> Awaitable[T]:
        """Run what writes, in a transaction that it is given, in the thread of the writer."""
        return asyncio.get_running_loop().run_in_executor(self._write_pool, _in, begin, work)

    def close(self) -> None:
        """Wait for the running transactions, fold the log into the file, close everything."""
        self._write_pool.shutdown()
        self._read_pool.shutdown()
        with self._folding, self._turn:
            for connection in self._readers:
                connection.close()
            try:
                self.writer.execute("PRAGMA optimize")
                self.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                log.info("the log of the database stays beside it: %s", error)
            self.writer.close()

    def _fold(self) -> None:
        """Bring the log into the file beside the writing, then, in its turn, what came meanwhile.

        SQLite's own way makes a writer wait 30 ms for it, which took a tenth of all writing.
        """
        if not self._folding.acquire(blocking=False):
            return
        try:
            with closing(connect(self.path, read_only=False)) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                with self._turn:
                    connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            log.info("the log of the database grows: %s", error)
        finally:
            self._folding.release()


def _in(begin: Begin[C], work: Callable[[C], T]) -> T:
    with begin() as tx:
        return work(tx)


def _prepare(path: Path) -> None:
    """Make the file ours before SQLite opens it: readable by nobody else, and no planted link."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)
    os.close(os.open(path, flags, 0o600))
