"""Errors that services raise and every boundary (HTTP, MCP, command line) knows how to show.

KombuseError
├── Invalid               400  {"error": [issue, ...]}  which fields, and why
├── BadRequest            400  {"error": str}
├── Unauthorized          401  {"error": str}
├── Forbidden             403  {"error": str}
├── NotFound              404  {"error": str}
├── Conflict              409  {"error": str, **extra}
├── TooLarge              413  {"error": str}
├── UnsupportedMediaType  415  {"error": str}
├── Unprocessable         422  {"error": str}
├── BadGateway            502  {"error": str}
├── Unavailable           503  {"error": str}
└── InsufficientStorage   507  {"error": str}
"""

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

__all__ = [
    "BadGateway",
    "BadRequest",
    "Conflict",
    "Forbidden",
    "InsufficientStorage",
    "Invalid",
    "KombuseError",
    "NotFound",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
    "UnsupportedMediaType",
    "issue",
]

_T = TypeVar("_T")


def issue(code: str, path: Sequence[str | int], message: str, **extra: Any) -> dict[str, Any]:
    """One entry of a validation answer; codes are those of zod 4 (`invalid_type`, ...)."""
    return {"code": code, "path": list(path), "message": message, **extra}


class KombuseError(Exception):
    """An error with a message made for the person who caused it.

    `code` is a constant for programs, in the answer where it is set.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str | None] = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def body(self) -> dict[str, Any]:
        return {"error": self.message} | ({"code": self.code} if self.code else {})


class Invalid(KombuseError):
    """Input that does not fit its schema; `issues` are made by `issue`."""

    status = 400

    def __init__(self, *issues: dict[str, Any]) -> None:
        super().__init__("; ".join(f"{_dotted(i['path'])}{i['message']}" for i in issues))
        self.issues = list(issues)

    def body(self) -> dict[str, Any]:
        return {"error": self.issues}


class BadRequest(KombuseError):
    status = 400


class Unauthorized(KombuseError):
    """Nobody known, where somebody has to be; the answer names the scheme `Bearer`."""

    status = 401


class Forbidden(KombuseError):
    status = 403


class NotFound(KombuseError):
    status = 404

    @classmethod
    def unless(cls, found: _T | None, resource: str) -> _T:
        """What was found, if it was."""
        if found is None:
            raise cls(f"{resource} not found")
        return found


class Conflict(KombuseError):
    """A state that excludes the change; `extra` becomes further keys of the body."""

    status = 409

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.extra = extra

    def body(self) -> dict[str, Any]:
        return super().body() | self.extra


class TooLarge(KombuseError):
    status = 413


class UnsupportedMediaType(KombuseError):
    status = 415


class Unprocessable(KombuseError):
    """Well-formed input that refers to something which does not exist."""

    status = 422

    @classmethod
    def reference(cls, field: str, resource: str) -> "Unprocessable":
        return cls(f"{field} does not reference an existing {resource}")


class BadGateway(KombuseError):
    """Another server failed, or answered what cannot be used."""

    status = 502


class Unavailable(KombuseError):
    status = 503


class InsufficientStorage(KombuseError):
    status = 507


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path)) + ": " if path else ""
