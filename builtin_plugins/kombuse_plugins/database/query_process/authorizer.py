"""What an explorer query may touch: SQLite's authorizer callback, refusing what is not listed."""

import re
import sqlite3
from collections.abc import Collection
from contextlib import suppress

_PRAGMAS_OF_AN_OBJECT = frozenset(
    {
        "foreign_key_check",
        "foreign_key_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "integrity_check",
        "quick_check",
        "table_info",
        "table_list",
        "table_xinfo",
    }
)
_PRAGMAS = _PRAGMAS_OF_AN_OBJECT | {
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "encoding",
    "foreign_keys",
    "freelist_count",
    "function_list",
    "page_count",
    "page_size",
    "schema_version",
    "user_version",
}
_EPONYMOUS = frozenset({"dbstat", "json_each", "json_tree"})
_ALWAYS_READABLE = (
    frozenset(f"sqlite_{schema}" for schema in ("master", "schema", "temp_master", "temp_schema"))
    | _EPONYMOUS
    | frozenset(f"pragma_{name}" for name in _PRAGMAS)
)
# Functions without SQLITE_INNOCUOUS that are harmless all the same.
_FUNCTIONS = re.compile(r"json(b?_\w+)?|->>?|match|bm25|highlight|snippet")
_INNOCUOUS = 0x200000
_GENERATED = (2, 3)


class Authorizer:
    """Decides during a statement's preparation; `trusted` switches it off for our own statements.

    `denied_columns` are lower-case (table, column) pairs, `*` standing for every table. Such a
    column reads as NULL. Where SQLite gives no say about the column, the whole object is refused:
    a full-text table that indexes it, with its shadow tables, and joins by column name.
    """

    def __init__(self, denied_columns: Collection[tuple[str, str]]) -> None:
        self.trusted = True
        self.refused_statement = False
        self.refused_access = False
        self._denied = denied_columns
        self._null: set[tuple[str, str]] = set()
        self._readable: set[str] = set()
        self._hidden: set[str] = set()
        self._functions: set[str] = set()

    def __call__(
        self, action: int, first: str | None, second: str | None, _schema: str | None, _: str | None
    ) -> int:
        if self.trusted or action in (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE):
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_READ:
            return self._read((first or "").lower(), (second or "").lower())
        if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in self._functions:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_PRAGMA and _is_read(first or "", second):
            return sqlite3.SQLITE_OK
        self.refused_access = action == sqlite3.SQLITE_FUNCTION
        self.refused_statement = not self.refused_access
        return sqlite3.SQLITE_DENY

    def joins_by_secret(self, sql: str) -> bool:
        """Whether a NATURAL or USING join in `sql` may compare, or merge, a denied column.

        SQLite never asks the authorizer about such a column: `SELECT token FROM (SELECT 1 AS token)
        FULL JOIN t USING (token)` reads `t.token`. Keywords and names cannot be spelled
        otherwise, so searching the text errs on the safe side only.
        """
        text = sql.lower()
        natural = "natural" in text and "join" in text
        return bool(self._null) and (
            natural or ("using" in text and any(column in text for _, column in self._null))
        )

    def distrust(self) -> None:
        """From here on a stranger's statement is prepared."""
        self.trusted = self.refused_statement = self.refused_access = False

    def learn(self, connection: sqlite3.Connection) -> None:
        """Read the schema and connect its virtual tables, which could not be done untrusted."""
        functions = connection.execute("SELECT name, flags FROM pragma_function_list").fetchall()
        unsafe = {name for name, flags in functions if not flags & _INNOCUOUS}
        self._functions = {n for n, _ in functions if n not in unsafe or _FUNCTIONS.fullmatch(n)}
        modules = {name for (name,) in connection.execute("SELECT name FROM pragma_module_list")}
        self._hidden = {m for m in modules if m not in _ALWAYS_READABLE} | {
            "sqlite_dbpage",
            "sqlite_stat3",
            "sqlite_stat4",
        }
        self._readable, self._null = set(_ALWAYS_READABLE), set()
        for name in _EPONYMOUS | {f"pragma_{pragma}" for pragma in _PRAGMAS}:
            _connect(connection, name)
        objects = connection.execute(
            "SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE type IN ('table', 'view')"
            " ORDER BY type"
        ).fetchall()
        self._readable.update(name.lower() for name, _ in objects)
        for name, sql in objects:
            self._learn_object(connection, name, sql)
        self._hidden.update(n.lower() for n, s in objects if s and self._is_leaking_view(s))

    def _learn_object(self, connection: sqlite3.Connection, name: str, sql: str) -> None:
        table, names = name.lower(), {name.lower(), "*"}
        virtual = re.match(r"create\s+virtual\s+table\b.*?\busing\s+\W?(\w+)", sql, re.I | re.S)
        if virtual:
            names.update(c.lower() for c in re.findall(r"content\s*=\s*\W?(\w+)", sql, re.I))
        try:
            columns = connection.execute(
                "SELECT lower(name), hidden FROM pragma_table_xinfo(?)", (name,)
            ).fetchall()
        except sqlite3.Error:
            self._hidden.add(table)
            return
        secret = {c for c, _ in columns if any((owner, c) in self._denied for owner in names)}
        if virtual and (secret or virtual[1].lower() != "fts5"):
            self._hidden.add(table)
            self._hidden.update(t for t in self._readable if t.startswith(f"{table}_"))
        elif virtual:
            _connect(connection, name)
        elif secret:
            secret.update(column for column, hidden in columns if hidden in _GENERATED)
            self._null.update((table, column) for column in secret)

    def _is_leaking_view(self, sql: str) -> bool:
        return sql.lower().startswith("create view") and self.joins_by_secret(sql)

    def _read(self, table: str, column: str) -> int:
        # A table of which no column is used is reported without one, a common table
        # expression by its alias.
        if table in self._hidden or (column and table not in self._readable):
            self.refused_access = True
            return sqlite3.SQLITE_DENY
        is_null = (table, column) in self._null
        return sqlite3.SQLITE_IGNORE if is_null else sqlite3.SQLITE_OK


def _is_read(pragma: str, argument: str | None) -> bool:
    return pragma.lower() in (_PRAGMAS if argument is None else _PRAGMAS_OF_AN_OBJECT)


def _connect(connection: sqlite3.Connection, table: str) -> None:
    quoted = table.replace('"', '""')
    with suppress(sqlite3.Error):  # a module this SQLite was built without
        connection.execute(f'SELECT 1 FROM "{quoted}" LIMIT 0').close()
