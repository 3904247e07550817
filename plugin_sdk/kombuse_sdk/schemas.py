"""Field types of the wire: bounds and conversions that are the same in every plugin.

Numbers in bodies are JSON numbers without a fraction (`Int`, `5.0` counts) or, where the API
converts, digits in a string as well (`LooseInt`). Numbers and booleans in a query are text of
digits (`QueryInt`) or `true`/`1`/`false`/`0` (`QueryBool`). All integers stay within 2^53 - 1, what
JSON readers agree on.
"""

import json
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

__all__ = [
    "ABSENT",
    "MAX_INT",
    "Body",
    "ExternalUrl",
    "Id",
    "Int",
    "IsoDate",
    "IsoDateTime",
    "JsonObject",
    "Limit",
    "LooseInt",
    "NonEmpty",
    "Offset",
    "Output",
    "Query",
    "QueryBool",
    "QueryInt",
    "QueryIntList",
    "Slug",
    "Text",
    "issue_error",
    "slugify",
    "timestamp",
    "with_bounds",
]

ABSENT: Any = None
"""The default of fields that may be absent but not null; `Body.changes` leaves them out."""

MAX_INT = 2**53 - 1
_DIGITS = re.compile(r"-?\d+", re.ASCII)
_TRUE = {"true": True, "1": True, "false": False, "0": False}
_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}


def issue_error(code: str, message: str, **context: Any) -> PydanticCustomError:
    """A validation failure with a zod issue code, for validators of field types."""
    return PydanticCustomError(code, message, context or None)


class Output(BaseModel):
    """An object that the API answers."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class Body(BaseModel):
    """A JSON body. Unknown keys are ignored; `model_fields_set` tells absent from null."""

    model_config = ConfigDict(extra="ignore")

    def changes(self, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
        """The fields that the caller sent, in schema order."""
        return {
            name: getattr(self, name)
            for name in type(self).model_fields
            if name in self.model_fields_set and name not in without
        }


class Query(BaseModel):
    """The query parameters of one route. Unknown ones are ignored, empty ones count as absent."""

    model_config = ConfigDict(extra="ignore")

    def given(self) -> dict[str, Any]:
        """Every parameter with its value, None where absent."""
        return dict(self.__dict__)


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise issue_error("invalid_type", "Expected an integer", expected="int")
    if isinstance(value, float):
        if not value.is_integer():
            raise issue_error("invalid_type", "Expected an integer", expected="int")
        value = int(value)
    return _bounded(value)


def _loose_integer(value: Any) -> int:
    return _digits(value) if isinstance(value, str) else _integer(value)


def _digits(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return _bounded(value)
    if not isinstance(value, str) or len(value) > 400 or not _DIGITS.fullmatch(value):
        raise issue_error("invalid_type", "Expected an integer", expected="number")
    return _bounded(int(value))


def _bounded(value: int) -> int:
    if value > MAX_INT:
        raise issue_error("too_big", f"Too big: expected at most {MAX_INT}", maximum=MAX_INT)
    if value < -MAX_INT:
        raise issue_error("too_small", f"Too small: expected at least -{MAX_INT}", minimum=-MAX_INT)
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value in _TRUE:
        return _TRUE[value]
    raise issue_error("invalid_type", "Expected true or false", expected="boolean")


def _integer_list(value: Any) -> list[int]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, list):
        raise issue_error("invalid_type", "Expected integers separated by commas", expected="array")
    numbers = [_digits(part) for part in value]
    if not all(number > 0 for number in numbers):
        raise issue_error("too_small", "Expected integers greater than 0", minimum=1)
    return list(dict.fromkeys(numbers))


def _iso_date(value: str) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
            date.fromisoformat(value)
        elif re.match(r"\d{4}-\d\d-\d\dT", value, re.ASCII):
            datetime.fromisoformat(value)
        else:
            raise ValueError
    except ValueError:
        raise issue_error("invalid_format", "Expected an ISO date (YYYY-MM-DD)") from None
    return value


def _iso_datetime(value: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None or "T" not in value.upper():
            raise ValueError
        return timestamp(moment)
    except (ValueError, OverflowError):
        message = "Expected an ISO 8601 date and time with Z or an offset"
        raise issue_error("invalid_format", message) from None


def _external_url(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x1f]+", value):
        raise issue_error("invalid_format", "Invalid URL")
    return value


def _slug(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", value):
        raise issue_error("invalid_format", "Expected lower-case words joined by hyphens")
    return value


def _id(value: str) -> str:
    if "/" in value or len(value) > 100:
        raise issue_error("invalid_format", "Expected at most 100 characters without a slash")
    return value


def _json_object(value: dict[str, Any]) -> dict[str, Any]:
    """Numbers that JSON can hold but no reader can (1e400) are refused."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise issue_error("custom", "Expected numbers within range") from None
    return value


def with_bounds(schema: Any) -> Any:
    """A document with JSON Schema's names for bounds, where pydantic left its own.

    It does so for bounds of what has a validator of ours before it, as all our numbers have.
    """
    if isinstance(schema, list):
        return [with_bounds(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    is_number = schema.get("type") in ("integer", "number")
    return {_BOUNDS.get(k, k) if is_number else k: with_bounds(v) for k, v in schema.items()}


def slugify(name: str) -> str:
    """Lower case, every run of other characters than a-z and 0-9 a hyphen; may be empty."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def timestamp(moment: datetime | None = None) -> str:
    """ISO 8601 UTC with milliseconds and `Z`, the only form that is stored or answered."""
    moment = (moment or datetime.now(UTC)).astimezone(UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


Text = Annotated[str, Field(strict=True)]
NonEmpty = Annotated[str, Field(strict=True, min_length=1)]
Id = Annotated[str, Field(strict=True), AfterValidator(_id)]
Slug = Annotated[str, Field(strict=True, max_length=100), AfterValidator(_slug)]
IsoDate = Annotated[str, Field(strict=True), AfterValidator(_iso_date)]
IsoDateTime = Annotated[str, Field(strict=True), AfterValidator(_iso_datetime)]
ExternalUrl = Annotated[str, Field(strict=True), AfterValidator(_external_url)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_json_object)]
Int = Annotated[int, BeforeValidator(_integer)]
LooseInt = Annotated[int, BeforeValidator(_loose_integer)]
QueryInt = Annotated[int, BeforeValidator(_digits)]
QueryBool = Annotated[bool, BeforeValidator(_boolean)]
QueryIntList = Annotated[list[int], BeforeValidator(_integer_list)]
Limit = Annotated[int, BeforeValidator(_digits), Field(gt=0), AfterValidator(lambda n: min(n, 100))]
Offset = Annotated[int, BeforeValidator(_digits), Field(ge=0)]
