"""How SQLite runs the statements of a query function."""

from typing import Any

__all__ = ["Planner"]


class Planner:
    """A transaction that notes the plan of every statement on its way."""

    def __init__(self, tx: Any) -> None:
        self._tx = tx
        self.plan: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    def json_list(self, sql: str, params: Any = ()) -> Any:
        self._note(sql, params)
        return self._tx.json_list(sql, params)

    def values(self, sql: str, params: Any = ()) -> Any:
        self._note(sql, params)
        return self._tx.values(sql, params)

    def _note(self, sql: str, params: Any) -> None:
        rows = self._tx.all(f"EXPLAIN QUERY PLAN {sql}", params)
        self.plan += [row["detail"] for row in rows]
