"""Read-only SQL for strangers, run in processes that can be killed.

A thread does not do: one call of an SQL function (`instr`, `replace`) can take ten seconds inside
SQLite, where no handler or interrupt reaches it, and one row can take a gigabyte.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kombuse_sdk.errors import BadRequest, Unavailable

SECRET_COLUMNS = frozenset(
    ("*", column) for column in ("api_key", "password", "secret", "token", "token_hash")
)

_GRACE_SECONDS = 0.05  # for the process to answer "timed out" by itself
_LONGEST_WAIT = 0.9  # of the time a call has; the rest is for the query itself
_ALL = 1_000_000
_TABLES = """
SELECT name, type FROM sqlite_schema
WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
ORDER BY type, name
"""
_EXISTS = "SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?"
_DESCRIPTION = {
    "columns": 'SELECT cid, name, type, "notnull", dflt_value, pk FROM pragma_table_info(?)',
    "foreign_keys": 'SELECT id, seq, "table", "from", "to", on_update, on_delete, "match"'
    " FROM pragma_foreign_key_list(?)",
    "indexes": 'SELECT seq, name, "unique", origin, partial FROM pragma_index_list(?)',
}

Param = str | int | float | None
Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """`sql` is the statement without surrounding space and trailing semicolons.

    Blobs are `{"type": "Buffer", "data": [byte, ...]}`, infinities None; of columns with the same
    name the last one stays.
    """

    rows: list[Row]
    count: int
    sql: str


class Explorer:
    """Safe to call from many threads; a call lasts `seconds` at most, waiting for a turn included.

    `processes` queries run at once. Each process starts when it is first needed, and again after
    it had to be killed. `denied_columns` are (table, column) pairs that read as NULL, `*` standing
    for every table. A waiting call blocks its thread: give it threads that nothing else needs.

    Raises BadRequest for what is wrong with a query, and Unavailable when no turn came in time or
    the database cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        *,
        denied_columns: Collection[tuple[str, str]] = SECRET_COLUMNS,
        seconds: float = 5.0,
        processes: int = 2,
    ) -> None:
        self._arguments = (f"{path.absolute().as_uri()}?mode=ro", json.dumps(list(denied_columns)))
        self._seconds = seconds
        self._turns = threading.BoundedSemaphore(processes)
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._running: set[_Process] = set()
        self._closed = False

    def query(self, sql: str, params: Sequence[Param] = (), limit: int = 100) -> QueryResult:
        statement = sql.strip().rstrip("; \t\r\n")
        rows = self._ask(statement, params, limit)
        return QueryResult(rows=rows, count=len(rows), sql=statement)

    def tables(self) -> list[Row]:
        """Name and type (`table` or `view`) of all but SQLite's own, by type and name."""
        return self._ask(_TABLES)

    def describe(self, name: str) -> Row | None:
        """Columns, foreign keys and indexes, as the pragmas name their parts; None if unknown."""
        if not self._ask(_EXISTS, (name,)):
            return None
        parts = {part: self._ask(sql, (name,)) for part, sql in _DESCRIPTION.items()}
        return {"table": name, **parts}

    def close(self) -> None:
        """Ends the processes; a query that runs, or comes later, gets Unavailable."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for process in self._running:
                process.kill()
        for process in idle:
            process.end()

    def _ask(self, sql: str, params: Sequence[Param] = (), limit: int = _ALL) -> list[Row]:
        request = {"sql": sql, "params": list(params), "limit": limit}
        deadline = time.monotonic() + self._seconds
        if not self._turns.acquire(timeout=self._seconds * _LONGEST_WAIT):
            raise Unavailable("The database explorer is busy, try again later")
        try:
            process = self._take()
            try:
                answer = process.ask(request, deadline - time.monotonic())
            finally:
                self._give_back(process)
        finally:
            self._turns.release()
        if answer is None and not self._closed and time.monotonic() >= deadline:
            raise BadRequest("Query execution error: timed out")
        if answer is None:
            raise Unavailable("The query was stopped")
        return _rows(answer)

    def _take(self) -> "_Process":
        with self._lock:
            if self._closed:
                raise Unavailable("The database explorer is closed")
            process = self._idle.pop() if self._idle else _Process(self._arguments)
            if not process.is_alive():
                process.end()
                process = _Process(self._arguments)
            self._running.add(process)
            return process

    def _give_back(self, process: "_Process") -> None:
        with self._lock:
            self._running.discard(process)
            if process.is_alive() and not self._closed:
                self._idle.append(process)
                return
        process.end()


class _Process:
    """A running `query_process`, for one thread at a time."""

    def __init__(self, arguments: tuple[str, ...]) -> None:
        self._killed = False
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-E", "-s", "-S", "-m", "query_process", *arguments],
                cwd=Path(__file__).parent,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        except OSError as error:
            raise Unavailable(f"The database explorer cannot start: {error.strerror}") from error

    def ask(self, request: Row, seconds: float) -> Row | None:
        """The answer, or None when the process has ended instead."""
        assert self._popen.stdin and self._popen.stdout
        timer = threading.Timer(seconds + _GRACE_SECONDS, self.kill)
        timer.daemon = True
        timer.start()
        try:
            line = json.dumps({**request, "seconds": seconds}).encode() + b"\n"
            self._popen.stdin.write(line)
            self._popen.stdin.flush()
            answer = self._popen.stdout.readline()
        except OSError:
            answer = b""
        finally:
            timer.cancel()
            timer.join()
        if not answer.endswith(b"\n"):
            self.kill()
            return None
        parsed: Row = json.loads(answer)
        return parsed

    def is_alive(self) -> bool:
        return not self._killed and self._popen.poll() is None

    def kill(self) -> None:
        self._killed = True
        self._popen.kill()

    def end(self) -> None:
        self.kill()
        with suppress(OSError), self._popen:  # closes the pipes and waits
            pass


def _rows(answer: Row) -> list[Row]:
    if "refused" in answer:
        raise BadRequest(answer["refused"])
    if "unavailable" in answer:
        raise Unavailable(f"The database cannot be read: {answer['unavailable']}")
    rows: list[Row] = answer["rows"]
    return rows
