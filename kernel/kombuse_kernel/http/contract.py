"""The response contract: every JSON answer is checked against its route's response model.

The model is declared with pydantic, extended by the columns of plugins, and compiled to msgspec
types: decoding a page of fifty tickets takes 0.08 ms that way, 0.39 ms with pydantic, which makes
it cheap enough to do always. What was checked is sent as it is, so nothing is serialised twice.
"""

import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel, Field, TypeAdapter, create_model

from kombuse_sdk.sql import Joins

__all__ = ["ContractError", "Extender", "checker"]


class ContractError(Exception):
    """An answer does not fit its response model, or a route has none."""


class Extender:
    """Replaces models of a kind (`joined_kind`) by ones with the columns or filters of plugins."""

    def __init__(self, joins: Callable[[str], Joins]) -> None:
        self._joins = joins
        self._made: dict[type[BaseModel], type[BaseModel]] = {}

    def output(self, annotation: Any) -> Any:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if annotation not in self._made:
                self._made[annotation] = self._extended(annotation)
            return self._made[annotation]
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is None or origin is Literal:
            return annotation
        replaced = tuple(self.output(arg) if arg is not Ellipsis else arg for arg in args)
        if replaced == args:
            return annotation
        if origin in (Union, types.UnionType):
            return Union[replaced]  # noqa: UP007 - built at run time
        if origin is Annotated:
            return Annotated[(replaced[0], *args[1:])]
        return origin[replaced if len(replaced) > 1 else replaced[0]]

    def query(self, model: type[BaseModel]) -> type[BaseModel]:
        kind = getattr(model, "joined_kind", None)
        filters = self._joins(kind).filters if kind else ()
        if not filters:
            return model
        fields: dict[str, Any] = {
            item.param: (item.type | None, Field(None, description=item.description))
            for item in filters
        }
        return create_model(model.__name__, __base__=model, **fields)

    def _extended(self, model: type[BaseModel]) -> type[BaseModel]:
        fields: dict[str, Any] = {}
        for name, info in model.model_fields.items():
            replaced = self.output(info.annotation)
            if replaced is not info.annotation:
                fields[name] = (replaced, info)
        kind = model.__dict__.get("joined_kind")
        for column in self._joins(kind).columns if kind else ():
            optional = (column.type | None, None) if column.param else (column.type, ...)
            fields[column.name] = optional
        return create_model(model.__name__, __base__=model, **fields) if fields else model


def checker(annotation: Any) -> Callable[[bytes], object]:
    """A function that raises ContractError for JSON text that does not fit."""
    try:
        decode: Callable[[bytes], object] = msgspec.json.Decoder(_Compiler()(annotation)).decode
    except (TypeError, NotImplementedError):
        decode = TypeAdapter(annotation).validate_json

    def check(text: bytes) -> None:
        try:
            decode(text)
        except ValueError as error:
            raise ContractError(str(error)) from error

    return check


class _Compiler:
    """Pydantic annotation to msgspec type: shapes, enumerations and nullability."""

    def __init__(self) -> None:
        self._structs: dict[tuple[type[BaseModel], str | None], Any] = {}

    def __call__(self, annotation: Any) -> Any:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return self._struct(annotation, None)
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self(args[0])
        if origin is None or origin is Literal:
            return annotation
        if origin in (Union, types.UnionType):
            return self._union(args)
        return origin[tuple(self(arg) for arg in args)]

    def _union(self, args: tuple[Any, ...]) -> Any:
        models = [a for a in args if isinstance(a, type) and issubclass(a, BaseModel)]
        tag = _discriminator(models) if len(models) > 1 else None
        if len(models) > 1 and tag is None:
            raise NotImplementedError("msgspec wants a discriminator")
        made = [self._struct(a, tag) if a in models else self(a) for a in args]
        return Union[tuple(made)]  # noqa: UP007 - built at run time

    def _struct(self, model: type[BaseModel], tag: str | None) -> Any:
        key = (model, tag)
        if key in self._structs:
            return self._structs[key]
        fields: list[Any] = []
        for name, info in model.model_fields.items():
            if name == tag:
                continue
            compiled = self(info.annotation)
            name = info.serialization_alias or name
            if info.is_required():
                fields.append((name, compiled))
            else:
                fields.append((name, Union[compiled, msgspec.UnsetType], msgspec.UNSET))  # noqa: UP007
        options: dict[str, Any] = {"kw_only": True}
        if model.model_config.get("extra") == "forbid":
            options["forbid_unknown_fields"] = True
        if tag:
            (value,) = get_args(model.model_fields[tag].annotation)
            options |= {"tag_field": tag, "tag": value}
        self._structs[key] = msgspec.defstruct(model.__name__, fields, **options)
        return self._structs[key]


def _discriminator(models: list[type[BaseModel]]) -> str | None:
    """The field that has one literal value in each model."""
    for name in models[0].model_fields:
        if all(
            name in model.model_fields
            and get_origin(model.model_fields[name].annotation) is Literal
            and len(get_args(model.model_fields[name].annotation)) == 1
            for model in models
        ):
            return name
    return None
