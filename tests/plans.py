"""How SQLite runs the statements of a query function."""

from typing import Any

__all__ = ["Planner"]


class Planner:
    """A transaction that notes the plan of every statement on its way.

    `plan` holds all of its lines; `outline` those of the statements themselves, without the
    sub-selects that make a column.
    """

    def __init__(self, tx: Any) -> None:
        self._tx = tx
        self.plan: list[str] = []
        self.outline: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def json_list(self, sql: str, params: Any = ()) -> Any:
        self._note(sql, params)
        return self._tx.json_list(sql, params)

    def one(self, sql: str, params: Any = ()) -> Any:
        self._note(sql, params)
        return self._tx.one(sql, params)

    def values(self, sql: str, params: Any = ()) -> Any:
        self._note(sql, params)
        return self._tx.values(sql, params)

    def _note(self, sql: str, params: Any) -> None:
        rows = self._tx.all(f"EXPLAIN QUERY PLAN {sql}", params)
        self.plan += [row["detail"] for row in rows]
        self.outline += [row["detail"] for row in rows if row["parent"] == 0]
