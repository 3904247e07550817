"""What the OpenAPI document says beyond shapes: a description and an example for each operation.

Both are made of what is declared already, so that a plugin's routes have them without asking: the
description of the function's name, the answer and what its model says of itself; the example of the
fields that a body must have.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["described"]

_REFERENCE = "#/components/schemas/"
_MOST_OPTIONAL = 3
_DEEPEST = 6
# By the name of a field, for its type does not tell what a sensible value looks like.
_SAMPLES: Mapping[str, Any] = {
    "author": "ann",
    "backend_type": "claude-code",
    "base_url": "https://registry.example",
    "behavior": "allow",
    "body": "What is to be done, in **Markdown**.",
    "color": "#1d76db",
    "content": "# Guide",
    "description": "What it is for.",
    "directory": "/home/ann/exported",
    "due_date": "2030-12-31",
    "email": "ann@example.com",
    "event_type": "ticket.created",
    "message": "Please look at ticket 12.",
    "local_path": "/home/ann/project",
    "name": "Login",
    "package_name": "review-pack",
    "package_path": "/home/ann/review-pack-1.0.0.tar.gz",
    "path": "/tickets",
    "registry_url": "https://registry.example",
    "resource": "ticket",
    "script": "document.title",
    "selector": "main",
    "setting_key": "theme",
    "setting_value": "dark",
    "slug": "login",
    "sql": "SELECT count(*) AS tickets FROM tickets",
    "system_prompt": "Review the changes that the ticket names.",
    "title": "The login page is blank",
    "version": "1.0.0",
}
_IDENTITIES = (
    "_by_id",
    "author_id",
    "owner_id",
    "profile_id",
    "claimer_id",
    "requester_id",
    "subscriber_id",
)
_PERSON = "user-1"


def described(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what was missing; what an operation says itself stays."""
    schemas = document.get("components", {}).get("schemas", {})
    for operation in _operations(document):
        operation.setdefault("description", _description(operation, schemas))
        for content in operation.get("requestBody", {}).get("content", {}).values():
            if "example" not in content and "examples" not in content:
                content["example"] = _example(content.get("schema", {}), schemas)
    return document


def _operations(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        yield from (item for item in path.values() if isinstance(item, dict))


def _description(operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    """`List labels. Answers 200 with a list of Label. ...`"""
    sentences = [f"{str(operation.get('summary', 'An operation')).capitalize()}."]
    for status, answer in operation.get("responses", {}).items():
        if not status.startswith("2"):
            continue
        contents: list[Any] = list(answer.get("content", {}).values())
        kind, model = _kind(contents[0].get("schema", {}) if contents else {})
        sentences.append(f"Answers {status}{f' with {kind}' if kind else ''}.")
        said = schemas.get(model or "", {}).get("description")
        if said:
            sentences.append(said)
    sentences.append("A refusal is `{error: ...}`: a sentence, or a list of what does not fit.")
    return " ".join(sentences)


def _kind(schema: Mapping[str, Any]) -> tuple[str, str | None]:
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(_REFERENCE)
        return name, name
    if schema.get("type") == "array":
        kind, name = _kind(schema.get("items", {}))
        return f"a list of {kind or 'values'}", name
    return "", None


def _example(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "", depth: int = 0
) -> Any:
    """A value that the schema allows."""
    if "$ref" in schema:
        schema = schemas.get(schema["$ref"].removeprefix(_REFERENCE), {})
    if examples := schema.get("examples"):
        return examples[0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        chosen: Mapping[str, Any] = next((x for x in options if x.get("type") != "null"), {})
        return _example(chosen, schemas, name, depth)
    kind = schema.get("type")
    kind = next((item for item in kind if item != "null"), None) if isinstance(kind, list) else kind
    match kind:
        case "object":
            return _object(schema, schemas, depth)
        case "array":
            few = schema.get("minItems", 1) if depth < _DEEPEST else 0
            item = _example(schema.get("items", {}), schemas, name.removesuffix("s"), depth + 1)
            return [item] * max(few, 1 if depth == 0 else few)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "string":
            return _text(schema, name)
        case _:
            return _SAMPLES.get(name, name or {})


def _object(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """The fields that must be there; where none must, a few of those that may."""
    fields = schema.get("properties", {})
    shown = schema.get("required") or list(fields)[:_MOST_OPTIONAL]
    if depth >= _DEEPEST:
        shown = schema.get("required", [])
    return {name: _example(fields.get(name, {}), schemas, name, depth + 1) for name in shown}


def _number(schema: Mapping[str, Any]) -> float:
    lowest = schema.get("minimum")
    if lowest is None and "exclusiveMinimum" in schema:
        lowest = schema["exclusiveMinimum"] + 1
    number: float = 1 if lowest is None or lowest < 1 <= schema.get("maximum", 1) else lowest
    return number


def _text(schema: Mapping[str, Any], name: str) -> str:
    if name in _SAMPLES:
        return str(_SAMPLES[name])
    if name.endswith(_IDENTITIES):
        return _PERSON
    match schema.get("format"):
        case "uuid":
            return "3f0c8f5e-6c8e-4b37-9d0b-5f6f0a1f2b3c"
        case "date-time":
            return "2030-01-02T03:04:05.000Z"
        case "date":
            return "2030-01-02"
        case "uri":
            return "https://example.com"
    words = re.sub(r"_+", "-", name).strip("-").removesuffix("-id")
    return words or "text"
