"""Refusals of the registry: a status, a text for people and a code for programs."""

from collections.abc import Mapping
from typing import Any

from kombuse_sdk.errors import KombuseError

__all__ = ["Refused", "package_not_found", "version_not_found"]


class Refused(KombuseError):
    """`extra` becomes further keys of the body. No text names a path of this server or SQL."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status  # type: ignore[misc]
        self.code = code  # type: ignore[misc]
        self.headers = dict(headers or {})
        self.extra = extra

    def body(self) -> dict[str, Any]:
        return super().body() | self.extra


def package_not_found() -> Refused:
    return Refused(404, "PACKAGE_NOT_FOUND", "Package not found")


def version_not_found() -> Refused:
    return Refused(404, "VERSION_NOT_FOUND", "Version not found")
