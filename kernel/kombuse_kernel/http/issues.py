"""Pydantic errors as issues: `{"code", "path", "message", ...}` with the codes of zod 4."""

from typing import Any

from pydantic import ValidationError

__all__ = ["issues_of"]

_CODES = {
    "missing": "invalid_type",
    "string_too_short": "too_small",
    "too_short": "too_small",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "string_too_long": "too_big",
    "too_long": "too_big",
    "less_than": "too_big",
    "less_than_equal": "too_big",
    "string_pattern_mismatch": "invalid_format",
    "literal_error": "invalid_value",
    "enum": "invalid_value",
    "extra_forbidden": "unrecognized_keys",
    "union_tag_invalid": "invalid_union",
    "union_tag_not_found": "invalid_union",
}
_EXPECTED = {
    "string_type": "string",
    "bool_type": "boolean",
    "bool_parsing": "boolean",
    "int_type": "number",
    "int_parsing": "number",
    "float_type": "number",
    "list_type": "array",
    "dict_type": "object",
    "model_type": "object",
    "model_attributes_type": "object",
}
_KEPT = ("expected", "minimum", "maximum")
_OWN = frozenset(
    {"invalid_type", "too_small", "too_big", "invalid_format", "invalid_value", "custom"}
)


def issues_of(error: ValidationError) -> list[dict[str, Any]]:
    return [_issue(item) for item in error.errors(include_url=False, include_input=False)]


def _issue(item: Any) -> dict[str, Any]:
    kind = item["type"]
    code = kind if kind in _OWN else _CODES.get(kind)
    issue = {"code": code or "custom", "path": list(item["loc"]), "message": item["msg"]}
    if code is None and kind in _EXPECTED:
        issue |= {"code": "invalid_type", "expected": _EXPECTED[kind]}
    if kind == "missing":
        issue["message"] = "Required"
    context = item.get("ctx") or {}
    return issue | {key: context[key] for key in _KEPT if key in context}
