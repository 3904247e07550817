"""The key `updates` of config.json."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kombuse_sdk.errors import Unavailable

__all__ = ["Configuration", "of_config"]


class Configuration(BaseModel, defer_build=True):
    """`public_keys` are ed25519 keys in base64; a registry of another machine needs one.

    `auto_check_hours` 0 never asks without being told to.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    enabled: Annotated[bool, Field(strict=True)] = False
    registry_url: str = "https://kombuse.dev"
    channel: str = "stable"
    package: str = "kombuse/kombuse"
    public_keys: tuple[str, ...] = ()
    auto_check_hours: Annotated[float, Field(ge=0)] = 24


_OFF: dict[str, Any] = {"enabled": False}


def of_config(values: Mapping[str, Any]) -> Configuration:
    """Raises Unavailable for values that make no sense; without the key, updates are off."""
    try:
        return Configuration.model_validate(values.get("updates", _OFF))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(("updates", *map(str, first["loc"])))
        raise Unavailable(f"config.json: {where}: {first['msg']}") from None
