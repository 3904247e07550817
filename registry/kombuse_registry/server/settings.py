"""How a registry behaves: `registry.json` in its data folder, and variables of the environment."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kombuse_registry.archive import LIMITS

__all__ = ["FILE", "RateLimits", "Settings", "UnusableSettings", "load_settings"]

FILE = "registry.json"
_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")
_Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


class UnusableSettings(Exception):
    """The text says which setting, and why."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RateLimits(_Model):
    reads_per_minute: _Count = 600
    downloads_per_minute: _Count = 120
    publishes_per_hour: _Count = 20
    failed_logins_per_quarter_hour: _Count = 10
    loopback_exempt: bool = True


class Settings(_Model):
    """`trust_proxy`: a proxy on this machine names the client in X-Forwarded-For."""

    read: Literal["public", "token"] = "public"
    open_namespaces: bool = False
    trust_proxy: bool = False
    rate_limits: RateLimits = RateLimits()
    body_idle_seconds: Annotated[float, Field(gt=0, le=3600)] = 30
    max_archive_bytes: Annotated[int, Field(ge=1, le=LIMITS.packed)] = LIMITS.packed


def load_settings(data: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """The environment wins over the file. Raises UnusableSettings."""
    overrides: dict[str, Any] = {}
    if environ.get("REGISTRY_READ"):
        overrides["read"] = environ["REGISTRY_READ"]
    if "REGISTRY_OPEN_NAMESPACES" in environ:
        overrides["open_namespaces"] = _boolean(environ["REGISTRY_OPEN_NAMESPACES"])
    try:
        text = (data / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        text = "{}"
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableSettings(f"{FILE} cannot be read") from error
    try:
        given = Settings.model_validate_json(text).model_dump(exclude_unset=True)
        return Settings.model_validate(given | overrides)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise UnusableSettings(f"{FILE}: {where}: {first['msg']}".replace(": :", ":")) from error


def _boolean(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise UnusableSettings("REGISTRY_OPEN_NAMESPACES is neither true nor false")
    return text.lower() in _TRUE
