"""Slugs of projects: every stored one is valid, unique and no UUID."""

import re
from collections.abc import Container
from itertools import count

from kombuse_sdk.schemas import slugify

__all__ = ["free_slug", "is_uuid", "slug_base"]

_UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def slug_base(name: str) -> str:
    """The slug of a name before it is numbered: at most 98 characters."""
    base = slugify(name)[:90].rstrip("-") or "project"
    return f"project-{base}" if is_uuid(base) else base


def free_slug(base: str, taken: Container[str]) -> str:
    """`base`, or the first free of `base-2`, `base-3`, ..."""
    if base not in taken:
        return base
    return next(slug for number in count(2) if (slug := f"{base}-{number}") not in taken)
