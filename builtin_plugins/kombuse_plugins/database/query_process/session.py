"""A confined SQLite connection that answers one explorer query at a time."""

import json
import math
import re
import sqlite3
import time
from typing import Any

from .authorizer import Authorizer

_ANSWER_CHARACTERS = 4 << 20
_COST_OF_A_BLOB_BYTE = 16  # it becomes a list element on its way
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 4 << 20,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 500,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 250_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 5_000,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 1_000,
    sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_STEPS_BETWEEN_CLOCK_READINGS = 10_000
_NOT_READ_ONLY = (
    "Only read-only queries are allowed. Write operations"
    " (INSERT, UPDATE, DELETE, DROP, ALTER, etc.) are rejected."
)
_SYNTAX = "SQL syntax error"
_EXECUTION = "Query execution error"
_EXPLAIN = re.compile(r"(?:\s|--[^\n]*|/\*.*?\*/)*+explain\b", re.I | re.S)


class Refused(Exception):
    """The caller's fault, in the words for the caller."""


class Unavailable(Exception):
    """The database's fault: it cannot be opened, or is locked."""


class Session:
    """One read-only connection; each query sees one snapshot and the schema that belongs to it."""

    def __init__(self, uri: str, denied_columns: frozenset[tuple[str, str]]) -> None:
        self._deadline = math.inf
        self._schema_version = -1
        self._authorizer = Authorizer(denied_columns)
        # No statement cache: one of our own, prepared while trusted, must not serve a query.
        self._connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, cached_statements=0, timeout=1
        )
        self._connection.text_factory = lambda text: text.decode("utf-8", "replace")
        self._connection.execute("PRAGMA query_only = ON")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA temp_store = MEMORY")
        for category, value in _LIMITS.items():
            self._connection.setlimit(category, value)
        self._connection.set_authorizer(self._authorizer)
        self._connection.set_progress_handler(self._is_late, _STEPS_BETWEEN_CLOCK_READINGS)

    def query(self, sql: str, params: list[Any], limit: int, seconds: float) -> list[str]:
        """The first `limit` rows, each as the text of a JSON object."""
        self._deadline = time.monotonic() + seconds
        stage = _SYNTAX
        try:
            self._begin()
            if self._authorizer.joins_by_secret(sql):
                raise Refused(f"{_EXECUTION}: NATURAL and USING joins are not authorized here")
            self._authorizer.distrust()
            if not _EXPLAIN.match(sql):
                self._prepare(sql, params)
                stage = _EXECUTION
            return self._rows(sql, params, limit)
        except MemoryError:
            raise Refused(f"{_EXECUTION}: out of memory") from None
        except (sqlite3.Error, sqlite3.Warning, OverflowError, ValueError) as error:
            raise self._explained(error, stage) from None
        finally:
            self._authorizer.trusted = True
            self._connection.rollback()

    def _begin(self) -> None:
        self._connection.execute("BEGIN")
        (version,) = self._connection.execute("PRAGMA schema_version").fetchone()
        if version != self._schema_version:
            self._authorizer.learn(self._connection)
            self._schema_version = version

    def _prepare(self, sql: str, params: list[Any]) -> None:
        """Raises what is wrong with the text, before any of it runs."""
        program = self._connection.execute("EXPLAIN " + sql, params).fetchall()
        if any(opcode == "Vacuum" for _, opcode, *_ in program):  # the authorizer is not asked
            raise Refused(_NOT_READ_ONLY)

    def _rows(self, sql: str, params: list[Any], limit: int) -> list[str]:
        rows: list[str] = []
        room = _ANSWER_CHARACTERS
        cursor = self._connection.execute(sql, params)
        try:
            names = [column[0] for column in cursor.description or ()]
            while len(rows) < limit and (row := cursor.fetchone()) is not None:
                text = _json_object(names, row, room)
                room -= len(text)
                rows.append(text)
        finally:
            cursor.close()
        return rows

    def _explained(self, error: Exception, stage: str) -> Exception:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if self._authorizer.refused_statement:
            return Refused(_NOT_READ_ONLY)
        if code == sqlite3.SQLITE_INTERRUPT:
            return Refused(f"{_EXECUTION}: timed out")
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB):
            return Unavailable(str(error))
        in_parameters = isinstance(error, OverflowError) or (
            isinstance(error, sqlite3.ProgrammingError) and "binding" in str(error)
        )
        if in_parameters or self._authorizer.refused_access or code == sqlite3.SQLITE_TOOBIG:
            stage = _EXECUTION
        return Refused(f"{stage}: {error}")

    def _is_late(self) -> bool:
        return time.monotonic() > self._deadline


def _json_object(names: list[str], row: tuple[Any, ...], room: int) -> str:
    blobs = sum(len(value) for value in row if isinstance(value, bytes))
    texts = sum(len(value) for value in row if isinstance(value, str))
    if texts + blobs * _COST_OF_A_BLOB_BYTE <= room:  # before anything is copied
        values = dict(zip(names, map(_json_value, row), strict=True))
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        if len(text) <= room:
            return text
    raise Refused(f"{_EXECUTION}: result too large")


def _json_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"type": "Buffer", "data": list(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
