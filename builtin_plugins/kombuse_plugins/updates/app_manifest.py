"""The manifest of an application package."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kombuse_registry import versions
from kombuse_registry.errors import InvalidPackage

__all__ = ["MANIFEST", "AppManifest", "meets"]

MANIFEST = "manifest.json"
_Path = Annotated[str, Field(strict=True, min_length=1, max_length=1000)]


class _Files(BaseModel, defer_build=True):
    """`server` is what Python runs: a file, or a folder with `__main__.py`."""

    server: _Path
    web: _Path | None = None


class AppManifest(BaseModel, defer_build=True):
    model_config = ConfigDict(extra="ignore")

    version: Annotated[str, Field(strict=True)]
    minimum: Annotated[str | None, Field(alias="minShellVersion")] = None
    files: _Files

    @classmethod
    def from_json(cls, data: bytes) -> "AppManifest":
        """Raises InvalidPackage."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise InvalidPackage(f"Invalid {MANIFEST}: {where}: {first['msg']}") from None


def meets(version: str, minimum: object) -> bool:
    """Whether a version is the minimum or newer, pre-releases counted as their release.

    A minimum that is no version is met by none.
    """
    if minimum is None or minimum == "":
        return True
    release = version.partition("-")[0].partition("+")[0]
    return versions.meets_minimum(release, str(minimum).partition("-")[0])
