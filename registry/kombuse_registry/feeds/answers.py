"""Reading what a server answered: values of the wrong type are values that are not there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kombuse_registry.addresses import RequestFailed
from kombuse_registry.errors import FeedError

__all__ = ["failures_of", "number", "objects", "text"]


@contextmanager
def failures_of(feed_id: str) -> Iterator[None]:
    """Failed requests as errors of this feed."""
    try:
        yield
    except RequestFailed as error:
        raise FeedError(feed_id, str(error)) from error


def text(entry: Any, key: str) -> str | None:
    """A text that is not empty."""
    value = entry.get(key) if isinstance(entry, Mapping) else None
    return value if isinstance(value, str) and value else None


def number(entry: Any, key: str) -> int | None:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    return value if isinstance(value, int) else None


def objects(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; empty for what is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
