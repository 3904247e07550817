"""The bounds of numbers in the API document, under the names that its readers know."""

from collections.abc import Iterator
from typing import Any

from starlette.testclient import TestClient

OWN = {"gt", "ge", "lt", "le"}


def schemas(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema of a number."""
    if isinstance(value, dict):
        if value.get("type") in ("integer", "number"):
            yield value
        for item in value.values():
            yield from schemas(item)
    elif isinstance(value, list):
        for item in value:
            yield from schemas(item)


def test_bounds_of_numbers_are_published_as_json_schema_names_them(client: TestClient) -> None:
    document = client.get("/openapi.json").json()

    found = list(schemas(document))

    assert [schema for schema in found if OWN & schema.keys()] == []
    assert any(schema.get("exclusiveMinimum") == 0 for schema in found)
    number = document["components"]["schemas"]["TicketCreate"]["properties"]["milestone_id"]
    assert number["exclusiveMinimum"] == 0
