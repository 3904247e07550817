"""JSON Schemas of tools, cut down to what a model needs: `tools/list` costs it tokens."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from kombuse_sdk.mcp import ToolInput

__all__ = ["input_schema", "output_schema"]

Schema = dict[str, Any]
_NULL = {"type": "null"}
_NESTED = ("items", "additionalProperties")


def input_schema(model: type[ToolInput]) -> Schema:
    """References are inlined; an optional field is published without null and without default."""
    schema = model.model_json_schema()
    made = _input(schema, schema.get("$defs", {}))
    made.pop("description", None)
    return {"type": "object", "properties": {}, **made}


def output_schema(annotation: Any) -> Schema | None:
    """The top level alone, objects within left open; None when the value is not an object."""
    schema = TypeAdapter(annotation).json_schema()
    definitions = schema.get("$defs", {})
    schema = _resolve(schema, definitions)
    if schema.get("type") != "object":
        return None
    properties = {
        name: _shallow(value, definitions) for name, value in schema.get("properties", {}).items()
    }
    made: Schema = {"type": "object"}
    if properties:
        made["properties"] = properties
    if "required" in schema:
        made["required"] = schema["required"]
    return made


def _input(schema: Schema, definitions: Mapping[str, Any]) -> Schema:
    schema = _resolve(_without_null(_resolve(schema, definitions)), definitions)
    made = {key: value for key, value in schema.items() if key not in ("title", "$defs")}
    if "properties" in made:
        made["properties"] = {
            name: _input(value, definitions) for name, value in made["properties"].items()
        }
        made["additionalProperties"] = False
    for key in _NESTED:
        if isinstance(made.get(key), dict):
            made[key] = _input(made[key], definitions)
    for key in ("anyOf", "oneOf"):
        if key in made:
            made[key] = [_input(value, definitions) for value in made[key]]
    return made


def _without_null(schema: Schema) -> Schema:
    """`x | None = None` is `x` that may be left out."""
    if "default" not in schema or schema["default"] is not None:
        return schema
    schema = {key: value for key, value in schema.items() if key != "default"}
    choices = schema.get("anyOf", [])
    others = [choice for choice in choices if choice != _NULL]
    if len(others) == len(choices):
        return schema
    if len(others) > 1:
        return schema | {"anyOf": others}
    del schema["anyOf"]
    return {**others[0], **schema}


def _resolve(schema: Schema, definitions: Mapping[str, Any]) -> Schema:
    while "$ref" in schema:
        target = definitions[schema["$ref"].rsplit("/", 1)[-1]]
        schema = target | {key: value for key, value in schema.items() if key != "$ref"}
    return schema


def _shallow(schema: Schema, definitions: Mapping[str, Any]) -> Schema:
    schema = _resolve(schema, definitions)
    if "anyOf" in schema:
        choices = [_shallow(choice, definitions) for choice in schema["anyOf"]]
        if all(set(choice) == {"type"} for choice in choices):
            return {"type": sorted({choice["type"] for choice in choices})}
        return {"anyOf": choices}
    if schema.get("type") == "array" and schema.get("items"):
        return {"type": "array", "items": _shallow(schema["items"], definitions)}
    return {key: schema[key] for key in ("type", "enum", "const") if key in schema}
