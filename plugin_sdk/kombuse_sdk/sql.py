"""JSON made inside SQLite, so that a list is one statement and its rows are never Python objects.

Fifty tickets with author, assignee and labels: 0.29 ms this way, 3.8 ms through an ORM.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

from pydantic import BaseModel

from kombuse_sdk.types import Column, Filter

if TYPE_CHECKING:
    from kombuse_sdk.storage import ReadTx

__all__ = ["Joins", "JsonText", "Where", "json_object", "like", "object_list", "placeholders"]

_FEW = 1000


@dataclass(slots=True)
class JsonText:
    """UTF-8 text that is JSON already: sent as it is, after its shape was checked.

    `is_volatile` marks an answer that changes without a write (it depends on the time of day), so
    that it gets no entity tag. `vary` is the request header by which the same address may answer
    something else than JSON.
    """

    data: bytes
    is_volatile: bool = False
    vary: str | None = None

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """What these two mean for an HTTP answer."""
        kept = [(b"cache-control", b"no-store")] if self.is_volatile else []
        return kept + ([(b"vary", self.vary.encode())] if self.vary else [])

    def load(self) -> Any:
        """The value, for those who need it in Python."""
        return json.loads(self.data)


def json_object(model: type[BaseModel], alias: str, **expressions: str) -> str:
    """`json_object(...)` over the fields of a wire model, read from the table `alias`.

    A field is the column of its name, or the SQL expression given for it. Booleans (0/1 in the
    table) become true and false.
    """
    pairs = []
    for name, info in model.model_fields.items():
        sql = expressions.get(name, f"{alias}.{name}")
        if _is_bool(info.annotation):
            sql = f"json(iif({sql}, 'true', 'false'))"
        pairs.append(f"'{name}', {sql}")
    return f"json_object({', '.join(pairs)})"


def object_list(model: type[BaseModel], alias: str, source: str) -> str:
    """JSON array text of `model` objects from `source`, a FROM clause with its own order."""
    return (
        f"('[' || ifnull((SELECT group_concat({json_object(model, alias)}) FROM {source}), '')"
        " || ']')"
    )


def like(text: str) -> str:
    """A LIKE pattern (ESCAPE '\\\\') that finds `text` anywhere and takes it literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _is_bool(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return any(_is_bool(arg) for arg in get_args(annotation))
    return annotation is bool


@dataclass(slots=True)
class Where:
    """Conditions with their named parameters, joined by AND."""

    conditions: list[str] = field(default_factory=list)
    params: dict[str, Any] = field(default_factory=dict)

    def add(self, condition: str, **params: Any) -> None:
        self.conditions.append(condition)
        self.params.update(params)

    def equal(self, column: str, **value: Any) -> None:
        """`column = :name` for the one keyword given, unless its value is None."""
        ((name, given),) = value.items()
        if given is not None:
            self.add(f"{column} = :{name}", **{name: given})

    @property
    def sql(self) -> str:
        return f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""


@dataclass(frozen=True, slots=True)
class Joins:
    """What plugins contribute to one resource, ready to be put into its statement."""

    kind: str
    columns: Sequence[Column] = ()
    filters: Sequence[Filter] = ()

    def select(self, base: str, given: Mapping[str, Any] | None = None, extra: str = "") -> str:
        """JSON text of the row: the object `base` (which ends in `}`) with all columns added.

        `given` are the query parameters of the request: columns that need one are left out when it
        is absent. `extra` is more SQL of the form `|| ',"name":' || expression`.
        """
        parts = [
            f"""|| ',"{column.name}":' || {column.sql}"""
            for column in self.columns
            if column.param is None or (given or {}).get(column.param) is not None
        ]
        return f"rtrim({base}, '}}') {' '.join(parts)} {extra} || '}}'"

    def apply(self, where: Where, given: Mapping[str, Any], tx: "ReadTx | None" = None) -> bool:
        """Add the conditions of the filters whose parameters are given.

        With a transaction filters may choose the form that suits the data. Whether one of the
        conditions may find few rows by an index.
        """
        is_narrow = False
        for item in self.filters:
            value = given.get(item.param)
            if value is not None:
                params = {item.param: item.convert(value) if item.convert else value}
                can_seek = _can_seek(item, params, tx)
                where.add(item.seek if can_seek and item.seek else item.sql, **params)
                is_narrow = is_narrow or can_seek
        for column in self.columns:
            if column.param and given.get(column.param) is not None:
                where.params[column.param] = given[column.param]
        return is_narrow


def _can_seek(item: Filter, params: Mapping[str, Any], tx: "ReadTx | None") -> bool:
    """A filter without `at_most` says nothing against it: its `sql` may have an index."""
    if item.at_most is None or tx is None:
        return item.at_most is None
    bound: int | None = tx.value(f"SELECT {item.at_most}", params)
    return (bound or 0) <= _FEW


def placeholders(values: Iterable[Any]) -> str:
    """`?, ?, ?` for a list of values."""
    return ", ".join("?" for _ in values)
