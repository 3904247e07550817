"""Turning a route function into a handler: parameters bound once at start, none per request.

FastAPI solves dependencies anew for every request, which costs more than an indexed read does. The
common parameters (see `kombuse_sdk.http`) are bound here; others are left to FastAPI.
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from urllib.parse import parse_qsl

from fastapi import Request, params
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import from_json

from kombuse_sdk import http as sdk_http
from kombuse_sdk.errors import BadRequest, Invalid, issue
from kombuse_sdk.http import PathParam
from kombuse_sdk.storage import ReadTx

__all__ = ["Binding", "Incoming", "bind_query", "read_json"]


Extend = Callable[[type[BaseModel]], type[BaseModel]]


@dataclass(slots=True)
class Incoming:
    """One request, undecoded."""

    scope: Mapping[str, Any]
    receive: Any
    path_values: list[str]
    body: bytes | None = None


@dataclass(slots=True)
class Binding:
    """How the parameters of one route function are filled."""

    mode: Literal["read", "write", "async", "plain"]
    transaction: str | None = None
    path: list[tuple[str, PathParam | None]] = field(default_factory=list)
    query: tuple[str, type[BaseModel]] | None = None
    body: tuple[str, type[BaseModel], bool] | None = None
    given: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def of(cls, route: APIRoute, extend: Extend) -> "Binding | None":
        """None when the function has parameters that only FastAPI understands."""
        if route.dependencies:
            return None
        found = cls("async" if inspect.iscoroutinefunction(route.endpoint) else "plain")
        names = [part[1:-1] for part in route.path.split("/") if part.startswith("{")]
        hints = typing.get_type_hints(route.endpoint, include_extras=True)
        parameters = inspect.signature(route.endpoint).parameters
        by_name: dict[str, PathParam | None] = dict.fromkeys(names)
        for name in parameters:
            if not found._take(name, hints[name], by_name, extend):
                return None
        if found.transaction and found.mode == "async":
            return None
        found.path = [(name, by_name[name]) for name in names]
        unused = set(names) - set(parameters)
        return None if unused else found

    def _take(
        self,
        name: str,
        hint: Any,
        path: dict[str, PathParam | None],
        extend: Extend,
    ) -> bool:
        kind = hint
        metadata: list[Any] = []
        if get_origin(hint) is Annotated:
            kind, *metadata = get_args(hint)
        depends = next((m.dependency for m in metadata if isinstance(m, params.Depends)), None)
        if name in path:
            path[name] = next((m for m in metadata if isinstance(m, PathParam)), None)
            return path[name] is not None or kind is str
        if depends in (sdk_http.read_transaction, sdk_http.write_transaction):
            self.transaction = name
            if self.mode == "plain":
                self.mode = "read" if depends is sdk_http.read_transaction else "write"
            return True
        if depends in (sdk_http.database_of, sdk_http.kernel_of):
            self.given.append((name, "db" if depends is sdk_http.database_of else "kernel"))
            return True
        if kind is Request:
            self.given.append((name, "request"))
            return True
        optional = get_origin(kind) in (Union, UnionType) and type(None) in get_args(kind)
        model = get_args(kind)[0] if optional else kind
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return False
        if any(isinstance(m, params.Query) for m in metadata):
            self.query = (name, extend(model))
        else:
            self.body = (name, model, optional)
        return True

    def arguments(self, tx: ReadTx | None, incoming: Incoming) -> dict[str, Any]:
        """Path first, then query, then body: the order in which errors are reported."""
        bound: dict[str, Any] = {}
        for (name, param), text in zip(self.path, incoming.path_values, strict=True):
            if param is None:
                bound[name] = text
            else:
                assert tx is not None
                bound[name] = param.convert(tx, text)
        if self.query is not None:
            bound[self.query[0]] = bind_query(self.query[1], incoming.scope["query_string"])
        if self.body is not None:
            bound[self.body[0]] = self._bind_body(incoming)
        return bound

    @property
    def needs_lookup(self) -> bool:
        return any(param is not None for _, param in self.path)

    def _bind_body(self, incoming: Incoming) -> BaseModel | None:
        assert self.body is not None
        _, model, optional = self.body
        if not incoming.body:
            if optional:
                return None
            return model.model_validate({})
        value = read_json(incoming.body)
        if value is None and optional:
            return None
        return model.model_validate(value)


def read_json(body: bytes) -> Any:
    """The value of a JSON body; NaN, lone surrogates and endless nesting are not JSON."""
    try:
        return from_json(body.removeprefix(b"\xef\xbb\xbf"), allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"Invalid JSON: {error}") from None


def bind_query(model: type[BaseModel], query_string: bytes) -> BaseModel:
    """Each parameter at most once; an empty text counts as absent, except for an enumeration."""
    if not query_string:
        return model.model_validate({})
    given: dict[str, str] = {}
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadRequest("The query string is not UTF-8") from None
    for name, text in pairs:
        info = _parameters(model).get(name)
        if info is None or (text == "" and not keeps_empty(info.annotation)):
            continue
        if name in given:
            raise Invalid(issue("invalid_type", [name], "Expected one value", expected="string"))
        given[name] = text
    return model.model_validate(given)


@cache
def _parameters(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields by the name that they have in a query string."""
    return {info.alias or name: info for name, info in model.model_fields.items()}


def keeps_empty(annotation: Any) -> bool:
    """An empty enumeration, list or `NonEmpty | None` is a mistake, not an absent filter."""
    if isinstance(annotation, FieldInfo):
        return any(getattr(bound, "min_length", None) for bound in annotation.metadata)
    origin = get_origin(annotation)
    if origin in (Union, UnionType, Annotated):
        return any(keeps_empty(arg) for arg in get_args(annotation))
    return origin in (Literal, list)
